// SPDX-License-Identifier: MIT
// Where deliveries go: what each handler is owed, how quick it is, what keeps
// deliveries from it.
import { h } from "./dom.js";
import { ask } from "./api.js";
import { live } from "./live.js";
import { ago, count, span, time } from "./format.js";
import { button, empty, panel, pause, resume, Screen, state, table, title }
  from "./parts.js";
import { handlerState, handlerTroubles } from "./health.js";

class Handlers extends Screen {
  topics = ["status", "stats"];
  receivers = [];

  changed() {
    this.draw();
  }

  async load() {
    this.receivers = (await ask("subscriptions")).items;
  }

  row(handler) {
    const stats = live.stats?.handlers.find(each =>
      each.name === handler.name) || handler;
    const words = handlerTroubles(handler).map(([, text]) => text).join("; ");
    return { key: handler.name, cells: [
      handler.name, [handlerState(handler), words
        ? h("small", {}, ` ${words}`) : null],
      count(handler.pending), handler.oldest ? ago(handler.oldest) : "–",
      handler.next_try ? ago(handler.next_try) : "–", count(stats.running),
      count(stats.per_minute), span(stats.p50_ms), span(stats.p99_ms),
      handler.dead ? h("a", { href: "#/dead" }, count(handler.dead)) : "0",
      handler.paused ? button("Resume", () => resume("handlers", handler.name))
        : button("Pause…", () => pause("handlers", handler.name)),
    ] };
  }

  receiver(one) {
    return { key: one.id, cells: [h("code", {}, one.id), one.url,
      state(one.state === "active" ? one.failing_since ? "warn" : "ok" : "off",
        one.state === "active" ? one.failing_since ? "failing" : "active"
          : one.state), one.disabled_why || "",
      one.events.join(", ") || "all", time(one.created)] };
  }

  view() {
    const list = live.status?.handlers;
    if (!list) {
      return [title("Handlers"), empty("Asking the agent…")];
    }
    return [
      title("Handlers"),
      panel("handlers", "What each is owed", table("Handlers", ["Handler",
        "State", ["Owed", "num"], ["Oldest", "num"], ["Next try", "num"],
        ["Runs", "num"], ["Per min", "num"], ["Half within", "num"],
        ["99\u202f% within", "num"], ["Dead", "num"], ""],
      list.map(handler => this.row(handler)),
      empty("No handler is configured.", "Events are kept, and given to ",
        "nobody."))),
      panel("receivers", "Receivers that registered", table("Receivers",
        ["Id", "URL", "State", "Why", "Events", "Since"],
        this.receivers.map(one => this.receiver(one)),
        empty("None.", h("code", {}, "longstop receivers add URL"),
          " registers one."))),
    ];
  }
}

customElements.define("ls-handlers", Handlers);
