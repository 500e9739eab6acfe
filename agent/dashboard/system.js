// SPDX-License-Identifier: MIT
// The agent itself: its version, its store, its stream; and this page: how it
// looks, its token.
import { h } from "./dom.js";
import { hasToken, setToken } from "./api.js";
import { live } from "./live.js";
import { ago, bytes, count, time } from "./format.js";
import { button, empty, panel, Screen, state, title } from "./parts.js";
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
