// SPDX-License-Identifier: MIT
// The first screen: the figures of all of it, what needs somebody, how each
// connector is, and what has just happened.
import { h, svg } from "./dom.js";
import { ask, query } from "./api.js";
import { live } from "./live.js";
import { ago, at, count, now, plural, span, time } from "./format.js";
import { channel, empty, fate, panel, Screen, state, table, title }
  from "./parts.js";
import { behind, connectorState, COVERAGE, coverageBar, coverageText,
  handlerTroubles, lagBar, lagText, lastWalk, nextWalk, sum, troubles }
  from "./health.js";

const BUCKET_MS = 10000;
const BUCKETS = 60;
const ORDER = ["webhook", "stream", "poll", "backfill"];

function tile(name, value, words, href, kind = "") {
  return h(href ? "a" : "div", { class: `tile ${kind}`, href, "data-key": name,
    title: words }, h("span", { class: "name" }, name),
  h("b", { "data-figure": name }, value));
}

class Overview extends Screen {
  topics = ["status", "events", "deliveries"];
  pace = 1500;
  events = [];

  async load() {
    const since = new Date(now() - BUCKET_MS * BUCKETS).toISOString();
    const [recent, last] = await Promise.all([
      ask(query("events", { since, limit: 1000 })),
      ask(query("events", { limit: 8, fate: 1 })),
    ]);
    this.recent = recent.items;
    this.more = recent.next_cursor !== null;
    this.events = last.items;
  }

  figures(status) {
    const of = name => status.connectors.reduce(
      (all, connector) => all + connector[name], 0);
    const by = name => status.connectors.reduce(
      (all, connector) => all + sum(connector[name]), 0);
    const owed = status.handlers.reduce((all, each) => all + each.pending, 0);
    const dead = status.handlers.reduce((all, each) => all + each.dead, 0);
    const oldest = status.handlers.map(each => each.oldest).filter(Boolean)
      .sort()[0];
    const rate = status.handlers.reduce((all, each) => all + each.per_minute,
      0);
    return h("div", { class: "tiles", "data-key": "tiles" },
      tile("Events", count(by("events")), "New events since the agent was " +
        "started", "#/events"),
      tile("Recovered", count(of("recovered")), "Events that only a walk had " +
        "shown when the grace period was over, ever",
        "#/events?via=poll", "walk"),
      tile("Duplicates", count(by("duplicates")),
        "Known events that came again, since the start: each was handed on " +
        "once"),
      tile("Owed", count(owed), "Deliveries that are not done yet",
        "#/handlers"),
      tile("Oldest owed", oldest ? span(now() - Date.parse(oldest)) : "–",
        "How long the oldest of them has waited", "#/handlers"),
      tile("Attempts / min", count(rate), "Ended in the last minute",
        "#/handlers"),
      tile("Dead letters", count(dead), "Deliveries that were given up, and " +
        "wait for somebody", "#/dead", dead ? "bad" : ""),
      tile("Open gaps", count(status.open_gaps), "Spans that could not be " +
        "read any more", "#/connectors", status.open_gaps ? "bad" : ""));
  }

  needs(status) {
    const list = [];
    if (status.store !== "ok") {
      list.push(["bad", "The store", "#/system",
        `cannot be written: ${status.store}`]);
    }
    for (const connector of status.connectors) {
      for (const [kind, words] of troubles(connector)) {
        list.push([kind, connector.name,
          `#/connectors/${encodeURIComponent(connector.name)}`, words]);
      }
    }
    for (const handler of status.handlers) {
      for (const [kind, words] of handlerTroubles(handler)) {
        list.push([kind, handler.name, handler.dead && kind === "warn"
          ? "#/dead" : "#/handlers", words]);
      }
    }
    if (!list.length) {
      return h("p", { class: "calm" }, state("ok",
        "Nothing needs anybody: no failure, no gap, no dead letter."));
    }
    const names = { bad: "failing", warn: "look", off: "paused" };
    return h("ul", { class: "needs" }, list.map(([kind, name, href, words]) =>
      h("li", { "data-key": `${name} ${words}` }, state(kind, names[kind]),
        h("a", { href }, name), h("span", {}, words))));
  }

  chart() {
    const end = Math.ceil(now() / BUCKET_MS) * BUCKET_MS;
    const start = end - BUCKET_MS * BUCKETS;
    const stacks = Array.from({ length: BUCKETS }, () => ({}));
    for (const event of this.recent || []) {
      const bucket = stacks[Math.floor((Date.parse(event.recorded) - start) /
        BUCKET_MS)];
      if (bucket) {
        bucket[event.via] = (bucket[event.via] || 0) + 1;
      }
    }
    const most = Math.max(4, ...stacks.map(sum));
    const totals = ORDER.map(via => [via, stacks.reduce(
      (all, stack) => all + (stack[via] || 0), 0)]).filter(([via, all]) =>
      all || via === "webhook" || via === "poll");
    const [width, height] = [600, 96];
    const bars = stacks.map((stack, i) => {
      let y = height - 1;
      return ORDER.map(via => {
        if (!stack[via]) {
          return null;
        }
        const tall = Math.max(1.5, stack[via] / most * (height - 12));
        y -= tall;
        return svg("rect", { class: via, x: i * 10 + 1, width: 8, y,
          height: tall });
      });
    });
    const words = totals.map(([via, all]) => `${count(all)} by ${via}`);
    return [h("div", { class: "chart" },
      svg("svg", { viewBox: `0 0 ${width} ${height}`,
        preserveAspectRatio: "none", role: "img",
        "aria-label": `New events of the last ten minutes: ${
          words.join(", ")}` },
      svg("line", { class: "base", x1: 0, x2: width, y1: height - .5,
        y2: height - .5 }), bars),
      h("span", { class: "most" }, `${count(most)} in 10\u202fs`)),
    h("div", { class: "feet" }, h("span", {}, at(start, true)),
      h("span", { class: "legend" }, totals.map(([via, all]) =>
        [channel(via), h("b", {}, count(all))]),
      this.more ? h("small", {}, "newest 1,000") : null),
      h("span", {}, at(end, true)))];
  }

  connectors(status) {
    const rows = status.connectors.map(connector => {
      const last = lastWalk(connector);
      const gone = behind(connector);
      return { key: connector.name, cells: [
        h("a", { href: `#/connectors/${encodeURIComponent(connector.name)}` },
          connector.name),
        connectorState(connector),
        connector.channels.map(channel),
        [h("span", { title: COVERAGE }, coverageText(connector)),
          coverageBar(connector)],
        [h("span", {}, lagText(connector)), lagBar(connector)],
        gone === null ? "–" : h("span", { title: connector.complete_until },
          `${span(Math.max(0, gone))} ago`),
        last ? ago(last.ended) : "–",
        nextWalk(connector),
      ] };
    });
    return table("Connectors", ["Connector", "State", "Channels",
      ["Webhook coverage", "num"], ["Lag of overlap", "num"],
      ["Complete until", "num"], ["Last walk", "num"], ["Next", "num"]], rows,
    empty("No connector is configured."));
  }

  last() {
    return table("The newest events", ["Accepted", "Connector", "Type", "Id",
      "By", "State"], this.events.map(event => ({ key: event.number, cells: [
      h("a", { href: `#/events/${event.number}` }, time(event.recorded)),
      event.connector, event.type || "–",
      h("code", {}, event.id || event.number), channel(event.via), fate(event),
    ] })), empty("No event yet.", "A signed webhook, or the next walk of a ",
      "list, brings the first one; it is seen here at once."));
  }

  view() {
    const status = live.status;
    if (!status) {
      return [title("Overview"), empty("Asking the agent…")];
    }
    return [
      title("Overview", h("p", { class: "hint" },
        `${plural(status.connectors.length, "connector")}, ${
          plural(status.handlers.length, "handler")}; started `,
        ago(status.started))),
      this.figures(status),
      panel("needs", "Needs somebody", this.needs(status)),
      panel("rate", "New events, the last ten minutes", this.chart()),
      panel("connectors", "Connectors", this.connectors(status)),
      panel("last", "Just now", this.last()),
    ];
  }
}

customElements.define("ls-overview", Overview);
