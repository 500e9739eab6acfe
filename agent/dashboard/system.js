// SPDX-License-Identifier: MIT
// The agent itself: its version, its store, its stream; and this page: how it
// looks, its token.
import { h } from "./dom.js";
import { hasToken, send, setToken } from "./api.js";
import { live } from "./live.js";
import { ago, bytes, count, time } from "./format.js";
import { act, button, empty, panel, Screen, state, title } from "./parts.js";
import { shortcuts, setShortcuts } from "./keys.js";

const THEMES = [["", "As the system"], ["light", "Light"], ["dark", "Dark"]];
const STATES = { live: ["ok", "live"], connecting: ["wait", "connecting"],
  away: ["bad", "the agent does not answer"], locked: ["off", "locked"],
  crowded: ["warn", "too many read along (admin.streams)"] };

export function theme() {
  return localStorage.getItem("longstop.theme") || "";
}

export function setTheme(name) {
  localStorage.setItem("longstop.theme", name);
  if (name) {
    document.documentElement.setAttribute("data-theme", name);
  } else {
    document.documentElement.removeAttribute("data-theme");
  }
}

class System extends Screen {
  topics = ["status", "stats", "state"];

  changed() {
    this.draw();
  }

  // What the agent said of its configuration, when it was asked to read it.
  async readAgain() {
    const got = await act(() => send("reload"),
      "The configuration was read again, and runs");
    this.said = got ? got.text || "It is as it was written; no mistake."
      : "The one before goes on. What is wrong: longstop check";
    this.draw();
  }

  facts(rows) {
    return h("dl", { class: "plain" }, rows.map(([name, value]) =>
      [h("dt", {}, name), h("dd", {}, value)]));
  }

  view() {
    const { status, stats } = live;
    if (!status) {
      return [title("System"), empty("Asking the agent…")];
    }
    const choose = name => {
      setTheme(name);
      this.draw();
    };
    return [
      title("System"),
      panel("agent", "The agent", this.facts([
        ["Version", status.version],
        ["Started", [time(status.started), " (", ago(status.started), ")"]],
        ["Configuration read", [time(status.loaded), " ",
          button("Read it again", () => this.readAgain()),
          this.said ? h("pre", {}, this.said) : null]],
        ["Sandbox", status.sandbox],
        ["Its clock", time(status.now)],
        ["Store", status.store === "ok" ? state("ok", "can be written")
          : state("bad", status.store)],
        ["Waiting for the store", stats ? `${count(stats.queued_events)} ${
          ""}events, ${bytes(stats.queued_bytes)}` : "–"],
        ["Commits since the start", stats ? count(stats.commits) : "–"],
        ["Attempts that run", stats ? count(stats.running_attempts) : "–"],
        ["Figures for Prometheus", h("code", {}, "/metrics")],
      ])),
      panel("page", "This page", this.facts([
        ["Stream", state(...STATES[live.state])],
        ["Last entry seen", live.last ? h("code", {}, live.last) : "–"],
        ["Colours", h("span", { class: "bar-of", role: "group",
          "aria-label": "Colours" }, THEMES.map(([name, text]) =>
          button(text, () => choose(name), "",
            { "aria-pressed": String(theme() === name) })))],
        ["Keyboard shortcuts", button(shortcuts() ? "On" : "Off", () => {
          setShortcuts(!shortcuts());
          this.draw();
        }, "", { "aria-pressed": String(shortcuts()) })],
        ["Token", hasToken() ? button("Forget it", () => {
          setToken("");
          location.reload();
        }) : "none is needed"],
      ])),
    ];
  }
}

customElements.define("ls-system", System);
