// SPDX-License-Identifier: MIT
// Keyboard shortcuts, and the help that lists them. They can be switched off
// (WCAG 2.1.4), and none acts while somebody writes.
import { h } from "./dom.js";
import { button } from "./parts.js";

const OFF = "longstop.shortcuts";

export function shortcuts() {
  return localStorage.getItem(OFF) !== "off";
}

export function setShortcuts(yes) {
  localStorage.setItem(OFF, yes ? "on" : "off");
}

const HELP = [
  ["1 … 7", "the screens, from left to right"],
  ["/", "to the filter"],
  ["↑ ↓ or j k", "from row to row; Page Up and Down, Home, End"],
  ["Enter", "opens the row, or the event of the timeline"],
  ["← →", "on the timeline: through what walks brought"],
  ["f", "follow, or stop following, the list of events"],
  ["Esc", "closes a dialog"],
  ["?", "this help"],
];

export function help() {
  if (document.querySelector("dialog")) {
    return;
  }
  const before = document.activeElement;
  const turn = button(shortcuts() ? "Switch them off" : "Switch them on",
    () => {
      setShortcuts(!shortcuts());
      dialog.close();
    });
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" },
    h("h2", { id: "dialog-title" }, "Keyboard"),
    h("dl", { class: "help" }, HELP.map(([key, words]) =>
      [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)])),
    h("div", { class: "buttons" }, turn,
      button("Close", () => dialog.close(), "main")));
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus?.();
  });
  document.body.append(dialog);
  dialog.showModal();
}

// `goto` takes a number from 0.
export function listen(goto) {
  document.addEventListener("keydown", event => {
    const writes = event.target.closest("input, select, textarea, dialog");
    if (writes || event.ctrlKey || event.metaKey || event.altKey ||
        (!shortcuts() && event.key !== "?")) {
      return;
    }
    if (event.key === "?") {
      help();
    } else if (event.key >= "1" && event.key <= "7") {
      goto(Number(event.key) - 1);
    } else if (event.key === "/") {
      document.querySelector("[data-search]")?.focus();
    } else if (event.key === "f") {
      document.querySelector('[data-shortcut="f"]')?.click();
    } else {
      return;
    }
    event.preventDefault();
  });
}
