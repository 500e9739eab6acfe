// SPDX-License-Identifier: MIT
// All connectors, and one with its timeline: what webhooks brought, what walks
// brought, and up to when nothing is missing.
import { h } from "./dom.js";
import { ask, query, send } from "./api.js";
import { live } from "./live.js";
import { ago, bytes, count, now, plural, span, time } from "./format.js";
import { act, button, channel, confirm, empty, panel, pause, resume, Screen,
  state, table, title } from "./parts.js";
import { connectorState, coverage, COVERAGE, coverageBar, coverageText,
  hasBoth, lagBar, lagText, nextWalk, sum, troubles } from "./health.js";
import { onlyWalk } from "./timeline.js";

const SPANS = [[300000, "5 min"], [900000, "15 min"], [3600000, "1 h"],
  [21600000, "6 h"], [86400000, "24 h"]];

const VERDICTS = {
  meet: ["ok", "ids of both channels meet"],
  never: ["bad", "ids never meet: one event may be two"],
  not_yet: ["wait", "ids have not met yet"],
  one_channel: ["off", "one channel has brought events"],
};

class Connectors extends Screen {
  view() {
    const list = live.status?.connectors;
    if (!list) {
      return [title("Connectors"), empty("Asking the agent…")];
    }
    return [title("Connectors"), list.length ? h("div", { class: "cards" },
      list.map(each => this.card(each))) : empty("No connector is configured.",
      h("code", {}, "longstop init --list"), " shows what there is.")];
  }

  card(connector) {
    const href = `#/connectors/${encodeURIComponent(connector.name)}`;
    return h("article", { class: "panel card", "data-key": connector.name },
      h("h2", {}, h("a", { href }, connector.name),
        connectorState(connector)),
      h("p", { class: "hint" }, connector.use ? `${connector.use} · ` : "",
        connector.channels.map(channel)),
      h("dl", {},
        h("dt", {}, "Webhook coverage"),
        h("dd", { title: COVERAGE }, coverageText(connector),
          coverageBar(connector)),
        h("dt", {}, "Lag of overlap"),
        h("dd", {}, lagText(connector), lagBar(connector)),
        h("dt", {}, "Complete until"),
        h("dd", {}, time(connector.complete_until)),
        h("dt", {}, "Next walk"), h("dd", {}, nextWalk(connector)),
        h("dt", {}, "Events"), h("dd", {}, count(sum(connector.events)))),
      troubles(connector).map(([kind, words]) =>
        h("p", {}, state(kind, words))));
  }
}

class Connector extends Screen {
  topics = ["status", "events", "walks", "refusals", "gaps"];
  pace = 1500;
  span = Number(sessionStorage.getItem("longstop.span")) || 900000;
  events = [];
  walks = [];
  gaps = [];
  refusals = [];

  get name() {
    return this.given.name;
  }

  changed(topic, data) {
    if (topic === "status" || data.connector === this.name) {
      this.again();
    }
  }

  async load() {
    const name = encodeURIComponent(this.name);
    const of = { connector: this.name };
    const since = new Date(now() - this.span).toISOString();
    const [events, walks, gaps, refusals] = await Promise.all([
      ask(query("events", { ...of, since, limit: 1000, fate: 1 })),
      ask(`connectors/${name}/walks`),
      ask(query("gaps", { ...of, limit: 100 })),
      ask(query("refusals", { ...of, limit: 10 })),
    ]);
    this.events = events.items;
    this.more = events.next_cursor !== null;
    this.walks = walks.items;
    this.gaps = gaps.items;
    this.refusals = refusals.items;
    if (!this.keys || this.keysAt < Date.now() - 30000) {
      this.keys = await ask(`connectors/${name}/keys`);
      this.keysAt = Date.now();
    }
  }

  buttons(connector) {
    const name = this.name;
    const path = `connectors/${encodeURIComponent(name)}`;
    const polls = connector.channels.includes("poll");
    const poll = () => act(() => send(`${path}/poll`), walk => walk.outcome ===
      "ok" ? `Walk of ${name}: ${walk.new} new, ${walk.known} known`
      : `Walk of ${name}: ${walk.error || walk.outcome}`);
    const backfill = async () => {
      const wish = await confirm(`Read a past span of ${name}?`,
        "It runs in the background, below the live walks. What is known is " +
        "not handed on again.", "Backfill",
        [["since", "Since", "7d", "a span as 7d, or a time as " +
          "2026-11-20T08:00:00Z"], ["until", "Until", "", "empty: now"]]);
      if (wish) {
        await act(() => send(`${path}/backfill`, wish.until ? wish
          : { since: wish.since }), "The backfill has begun");
        this.again();
      }
    };
    return h("div", { class: "buttons" },
      polls ? button("Poll now", poll) : null,
      polls ? button("Backfill…", backfill) : null,
      !polls ? null : connector.paused
        ? button("Resume", () => resume("connectors", name))
        : button("Pause…", () => pause("connectors", name)));
  }

  health(connector) {
    const share = coverage(connector);
    const gone = connector.complete_until;
    const fact = (name, value, more, hint) => h("div", { class: "fact",
      "data-key": name, title: hint }, h("dt", {}, name),
    h("dd", {}, h("b", {}, value), more));
    return h("dl", { class: "facts", "data-key": "facts" },
      fact("Webhook coverage", coverageText(connector), [
        coverageBar(connector), h("small", {}, share
          ? `${count(share.part)} of ${count(share.all)} in time`
          : hasBoth(connector) ? "nothing to tell from yet"
            : "needs both channels")], COVERAGE),
      fact("Measured lag", connector.lag ? span(connector.lag.longest_ms)
        : "–", [lagBar(connector), h("small", {}, connector.lag?.covered_ms
        ? `overlap covers ${span(connector.lag.covered_ms)}; 99\u202f% within ${
          span(connector.lag.p99_ms)}` : lagText(connector))],
      "How late the list has shown events, against how late it may be"),
      fact("Complete until", time(gone), h("small", {}, gone ? ago(gone)
        : "not yet", connector.open_gaps ? ", but for gaps" : ""),
      "Everything that happened before is here, if the list shows events " +
        "within its overlap"),
      fact("Next walk", nextWalk(connector), h("small", {},
        connector.tiers.map(tier => tier.cron ? `cron ${tier.cron}`
          : `every ${span(tier.interval_ms)}${tier.adaptive ? ", adaptive"
            : ""}${tier.hurried ? ", hurried" : ""}`).join("; "))),
      fact("Recovered", count(connector.recovered), h("small", {},
        `after ${span(connector.grace_ms)} of grace; ` +
        `${count(connector.late)} late, ${count(connector.confirmed)} ` +
        "confirmed"), "Events that only a walk had shown when the grace " +
        "period was over; late: their webhook came after all"),
      fact("Events", count(sum(connector.events)), h("small", {},
        Object.entries(connector.events).map(([via, all]) =>
          `${count(all)} by ${via}`).join(", "), "; ",
        plural(sum(connector.duplicates), "duplicate"), ", since the start")));
  }

  timeline(connector) {
    const only = this.events.filter(onlyWalk);
    const choose = value => {
      this.span = value;
      sessionStorage.setItem("longstop.span", value);
      this.reload();
    };
    return panel("lanes", "Timeline",
      h("div", { class: "bar-of", role: "group", "aria-label": "Span" },
        SPANS.map(([value, text]) => button(text, () => choose(value), "", {
          "aria-pressed": String(this.span === value) }))),
      h("ls-timeline", { "data-own": true, "data-key": "timeline", props: {
        name: this.name, channels: connector.channels, events: this.events,
        walks: this.walks, gaps: this.gaps, until: connector.complete_until,
        span: this.span, more: this.more,
        open: event => { location.hash = `#/events/${event.number}`; } } }),
      h("p", { class: "legend" },
        h("span", { class: "key dot met" }, "webhook, also listed"),
        h("span", { class: "key dot" }, "webhook alone so far"),
        h("span", { class: "key only" }, "only the walk brought it"),
        h("span", { class: "key late" }, "the webhook came later"),
        h("span", { class: "key quiet" }, "walks, nothing new"),
        h("span", { class: "key failed" }, "a walk failed"),
        h("span", { class: "key until" }, "complete until")),
      h("details", { "data-key": "missed" }, h("summary", {},
        only.length === 1 ? "1 event that only a walk brought"
          : `${count(only.length)} events that only a walk brought`),
      table("Events that only a walk brought", ["Happened", "Found",
        ["After", "num"], "Type", "Id"], only.slice(0, 100).map(event => ({
        key: event.number, cells: [time(event.time), time(event.recorded),
          event.time ? span(Math.max(0, Date.parse(event.recorded) -
            Date.parse(event.time))) : "–", event.type || "–",
          h("a", { href: `#/events/${event.number}` },
            h("code", {}, event.id || event.number))] })),
      empty("None in this span.",
        "Webhooks have brought all that walks found."))));
  }

  gapRows() {
    return table("Gaps", ["Kind", "From", "To", "Found", "State"],
      this.gaps.map(gap => ({ key: gap.id, cells: [gap.kind, time(gap.from),
        time(gap.to), time(gap.found), gap.closed
          ? state("ok", `closed by ${gap.closed_by || "somebody"}`)
          : button("Close…", async () => {
            if (await confirm("Close this gap?", "It says that somebody has " +
              "looked at it and accepts it: nothing is read by that. A " +
              "backfill that reads the span closes it by itself.",
            "Close it")) {
              await act(() => send(`gaps/${gap.id}/close`), "It is closed");
              this.again();
            }
          })] })), empty("No gap.", "Every walk could read all of its span."));
  }

  keysPart() {
    const keys = this.keys;
    if (!keys) {
      return empty("Counting…");
    }
    const row = (name, of) => ({ key: name, cells: [name,
      state(...VERDICTS[of.verdict]), count(of.webhook), count(of.walk),
      count(of.met), count(of.recovered), count(of.webhook_only),
      count(sum(of.duplicates))] });
    return table("Keys", ["Type", "Verdict", ["First by webhook", "num"],
      ["First by walk", "num"], ["Shown by both", "num"],
      ["Recovered", "num"], ["Webhook only", "num"],
      ["Duplicates since the start", "num"]],
    [row("all", keys), ...keys.items.map(of => row(of.type || "–", of))]);
  }

  refused() {
    return table("Refusals", ["At", "Cause", ["Why", "why"], "From",
      ["Bytes", "num"]],
      this.refusals.map(one => ({ key: one.id, cells: [time(one.at), one.cause,
        one.why, one.peer || "–", bytes(one.body_bytes)] })),
      empty("Nothing was refused."));
  }

  view() {
    const connector = live.status?.connectors.find(
      each => each.name === this.name);
    if (!connector) {
      return [title(this.name), empty(live.status
        ? "No connector of this name is configured." : "Asking the agent…")];
    }
    return [
      title(this.name, connectorState(connector), h("p", { class: "hint" },
        connector.use ? `${connector.use} · ` : "",
        connector.channels.map(channel)), this.buttons(connector)),
      ...troubles(connector).map(([kind, words]) => h("p", { class: "trouble",
        "data-key": words }, state(kind, words))),
      this.health(connector),
      this.timeline(connector),
      panel("gaps", "Gaps", this.gapRows()),
      panel("keys", "Do ids meet?", this.keysPart()),
      panel("refused", "Last refusals", this.refused(), this.refusals.length
        ? h("p", {}, h("a", { href: `#/refusals?connector=${
          encodeURIComponent(this.name)}` }, "All of them")) : null),
    ];
  }
}

customElements.define("ls-connectors", Connectors);
customElements.define("ls-connector", Connector);
