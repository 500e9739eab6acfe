// SPDX-License-Identifier: MIT
// <ls-timeline>: what webhooks brought above, what walks brought below. An
// event that only a walk brought hangs below the webhooks' line as a hollow
// mark, at the time at which it happened and its webhook should have come, with
// a line down to the walk that found it. Left of the complete-until mark
// nothing is missing, if the list shows events within its overlap.
//
// given: { name, channels, events, walks, gaps, from, to, until, more, open }
import { h, svg, patch } from "./dom.js";
import { at, count, now, plural, span } from "./format.js";

const NAMES = 80;  // room for the lanes' names, where there is some
const HEIGHT = 236;
const HOOKS = { top: 30, base: 100 };
const WALKS = { top: 146, base: 204 };
const DOT = 5;     // a mark and the room around it
const MISSED = 10;

const STEPS = [1, 5, 10, 30, 60, 120, 300, 900, 1800, 3600, 7200, 14400,
  28800, 86400];

const isWalk = event => event.via === "poll" || event.via === "backfill";

// Brought by a walk, and by no webhook.
export const onlyWalk = event => isWalk(event) && !event.other;

function ticks(from, to, width) {
  const wanted = (to - from) / 1000 / Math.max(2, width / 110);
  const step = 1000 * (STEPS.find(each => each >= wanted) || 86400);
  const offset = new Date(from).getTimezoneOffset() * 60000;
  const list = [];
  for (let t = Math.ceil((from - offset) / step) * step + offset; t <= to;
    t += step) {
    list.push(t);
  }
  return { list, short: step >= 60000 };
}

class Timeline extends HTMLElement {
  chosen = null; // number of the event that the arrows have come to

  connectedCallback() {
    this.plot = h("div", { class: "plot", tabindex: "0", role: "group" });
    this.words = h("p", { class: "readout", id: "readout",
      "aria-live": "polite" });
    this.append(this.plot, this.words);
    this.plot.setAttribute("aria-describedby", "readout");
    this.plot.addEventListener("keydown", event => this.key(event));
    this.sizes = new ResizeObserver(() => this.take());
    this.sizes.observe(this.plot);
    this.clock = setInterval(() => this.take(),
      matchMedia("(prefers-reduced-motion: reduce)").matches ? 5000 : 1000);
    this.take();
  }

  disconnectedCallback() {
    this.sizes.disconnect();
    clearInterval(this.clock);
  }

  take() {
    const width = this.plot?.clientWidth;
    if (!width || !this.given) {
      return;
    }
    this.width = width;
    this.left = width < 520 ? 4 : NAMES;
    this.to = now();
    this.from = this.to - this.given.span;
    const missed = this.missed();
    this.plot.setAttribute("aria-label", this.summary(missed));
    const height = HEIGHT;
    patch(this.plot, [svg("svg", { viewBox: `0 0 ${width} ${height}`, width,
      height, "aria-hidden": "true", focusable: "false" },
    this.ground(), this.axis(), this.gaps(), this.walks(), this.hooks(),
    this.lines(missed), this.mark(), this.veil())]);
    this.readout(missed);
  }

  x(ms) {
    return this.left + (ms - this.from) / (this.to - this.from) *
      (this.width - this.left - 8);
  }

  inside(ms) {
    return ms >= this.from && ms <= this.to;
  }

  missed() {
    return this.given.events.filter(event => isWalk(event) &&
      this.inside(Date.parse(event.recorded))).sort(
      (a, b) => Date.parse(a.recorded) - Date.parse(b.recorded) ||
        Date.parse(a.time || a.recorded) - Date.parse(b.time || b.recorded));
  }

  summary(missed) {
    const hooked = this.given.events.filter(event => !isWalk(event) &&
      this.inside(Date.parse(event.recorded))).length;
    const only = missed.filter(onlyWalk).length;
    return `Timeline of ${this.given.name}, the last ` +
      `${span(this.given.span)}: ${plural(hooked, "event")} by webhook, ` +
      `${count(only)} that only a walk brought, ` +
      `${count(missed.length - only)} whose webhook came later. Left and ` +
      "right arrows go through what walks brought, Enter opens one.";
  }

  ground() {
    const right = this.width - 8;
    const has = name => this.given.channels.includes(name);
    return [
      this.lane("Webhooks", HOOKS.top + 10, 72),
      this.lane("Walks", WALKS.top + 12, 182),
      svg("line", { class: "base", x1: this.left, x2: right, y1: HOOKS.base,
        y2: HOOKS.base }),
      svg("line", { class: "base", x1: this.left, x2: right, y1: WALKS.base,
        y2: WALKS.base }),
      has("webhook") || has("stream") ? null : svg("text", { class: "none",
        x: this.left + 6, y: 74 }, "no webhooks are taken"),
      has("poll") ? null : svg("text", { class: "none", x: this.left + 6,
        y: 182 }, "no list is polled: what webhooks miss is missed"),
    ];
  }

  // A lane's name: beside it, or in its corner.
  lane(text, inside, beside) {
    return svg("text", { class: "lane", x: this.left > 4 ? 0 : this.left + 4,
      y: this.left > 4 ? beside : inside }, text);
  }

  axis() {
    const { list, short } = ticks(this.from, this.to, this.width);
    return list.map(ms => [
      svg("line", { class: "tick", x1: this.x(ms), x2: this.x(ms),
        y1: HOOKS.top - 6, y2: WALKS.base }),
      svg("text", { class: "tick", x: this.x(ms), y: HEIGHT - 10,
        "text-anchor": this.x(ms) > this.width - 34 ? "end" : "middle" },
      at(ms, short)),
    ]);
  }

  gaps() {
    return this.given.gaps.filter(gap => !gap.closed && gap.from).map(gap => {
      const left = Math.max(this.left, this.x(Date.parse(gap.from)));
      const right = this.x(Math.min(this.to,
        gap.to ? Date.parse(gap.to) : this.to));
      return right < this.left ? null : svg("g", { class: "gap" },
        svg("rect", { x: left, width: Math.max(2, right - left),
          y: HOOKS.top - 6, height: WALKS.base - HOOKS.top + 6 }),
        svg("text", { x: left + 4, y: HOOKS.top + 6 }, "gap"));
    });
  }

  // What is proven complete, and the mark at its end.
  mark() {
    const until = Date.parse(this.given.until || "");
    if (!(until > this.from)) {
      return null;
    }
    const x = Math.min(this.x(until), this.width - 8);
    const left = x > this.width / 2;
    return svg("g", { class: "until" },
      svg("rect", { x: this.left, width: x - this.left, y: HOOKS.top - 6,
        height: WALKS.base - HOOKS.top + 6 }),
      svg("line", { x1: x, x2: x, y1: HOOKS.top - 10, y2: WALKS.base }),
      svg("path", { d: `M${x - 5} ${HOOKS.top - 14}h10l-5 7z` }),
      svg("text", { x: left ? x - 10 : x + 10, y: HOOKS.top - 10,
        "text-anchor": left ? "end" : "start" },
      `complete until ${at(until)}`));
  }

  // Before the oldest event that was read nothing is drawn, which says nothing.
  veil() {
    const first = this.given.more &&
      Date.parse(this.given.events.at(-1).recorded);
    if (!first || first <= this.from) {
      return null;
    }
    const width = this.x(first) - this.left;
    return svg("g", { class: "veil" }, svg("rect", { x: this.left, width,
      y: HOOKS.top - 6, height: WALKS.base - HOOKS.top + 6 }),
    svg("text", { x: this.left + width / 2, y: HOOKS.base + 4,
      "text-anchor": "middle" }, width > 150 ? "not drawn: more than 1,000"
      : ""));
  }

  walks() {
    const room = WALKS.base - WALKS.top;
    const most = Math.max(4, ...this.given.walks.map(walk => walk.new));
    return this.given.walks.filter(walk =>
      Date.parse(walk.ended) >= this.from).map(walk => {
      const left = Math.max(this.left, this.x(Date.parse(walk.started)));
      const width = Math.max(2, this.x(Date.parse(walk.ended)) - left);
      if (!["ok", "limited", "yielded"].includes(walk.outcome)) {
        return svg("g", { class: "walk failed" },
          svg("path", { d: `M${left - 4} ${WALKS.base - 14}l8 8m-8 0l8 -8` }));
      }
      const tall = walk.new === 0 ? 5
        : 9 + (room - 9) * Math.log1p(walk.new) / Math.log1p(most);
      const kind = walk.new === 0 ? "quiet"
        : walk.via === "backfill" ? "backfill" : "brought";
      return svg("rect", { class: `walk ${kind}`, x: left, width,
        y: WALKS.base - tall, height: tall });
    });
  }

  // Where marks stand that fall together: on each other, closer where there
  // are many. Webhooks stand on their line, what fell through hangs below it.
  stack(xs, step, room) {
    const heights = new Map();
    const marks = xs.map(x => {
      const column = Math.round(x / step);
      const level = heights.get(column) || 0;
      heights.set(column, level + 1);
      return { x: column * step, level };
    });
    const most = Math.max(1, ...heights.values());
    const tall = Math.min(step, room / most);
    return marks.map(({ x, level }) => ({ x, y: level * tall }));
  }

  hooks() {
    const events = this.given.events.filter(event => !isWalk(event) &&
      this.inside(Date.parse(event.recorded)));
    const places = this.stack(events.map(event =>
      this.x(Date.parse(event.recorded))), DOT, HOOKS.base - HOOKS.top - 4);
    return events.map((event, i) => svg("circle", { class: `dot ${event.via}` +
      (event.other ? " met" : ""), cx: places[i].x,
    cy: HOOKS.base - 4 - places[i].y, r: 2 }));
  }

  lines(missed) {
    const places = this.stack(missed.map(event => Math.max(this.left + 4,
      this.x(Math.min(Date.parse(event.time || event.recorded),
        Date.parse(event.recorded))))), MISSED, 34);
    return missed.map((event, i) => {
      const found = this.x(Date.parse(event.recorded));
      const x = places[i].x;
      const y = HOOKS.base + 11 + places[i].y;
      const chosen = event.number === this.chosen ? " chosen" : "";
      const kind = event.other ? "late" : event.via;
      return svg("g", { class: `missed ${kind}${chosen}`,
        onclick: () => this.given.open(event) },
      svg("line", { x1: x, y1: y, x2: found, y2: WALKS.base - 5 }),
      svg("path", { d: `M${x} ${y - 4.5}l4.5 4.5l-4.5 4.5l-4.5 -4.5z` }),
      svg("title", {}, this.describe(event)));
    });
  }

  describe(event) {
    const found = Date.parse(event.recorded);
    const lag = event.time ? ` (${span(Math.max(0,
      found - Date.parse(event.time)))} after it happened)` : "";
    const hook = event.other ? `; its webhook came at ${
      at(Date.parse(event.other))}` : "; no webhook has come";
    return `${event.type || "event"} ${event.id}: found by a ${
      event.via === "backfill" ? "backfill" : "walk"} at ${at(found)}${lag}${
      hook}`;
  }

  readout(missed) {
    const event = missed.find(each => each.number === this.chosen);
    const text = event ? this.describe(event)
      : this.given.more ? "Only the newest 1,000 events are drawn." : "";
    if (this.words.textContent !== text) {
      this.words.textContent = text;
    }
  }

  key(event) {
    const missed = this.missed();
    const index = missed.findIndex(each => each.number === this.chosen);
    const steps = { ArrowLeft: index < 0 ? missed.length - 1 : index - 1,
      ArrowRight: index < 0 ? missed.length - 1 : index + 1,
      Home: 0, End: missed.length - 1 };
    if (event.key in steps && missed.length) {
      event.preventDefault();
      this.chosen = missed[Math.max(0,
        Math.min(missed.length - 1, steps[event.key]))].number;
      this.take();
    } else if (event.key === "Enter" && index >= 0) {
      this.given.open(missed[index]);
    } else if (event.key === "Escape") {
      this.chosen = null;
      this.take();
    }
  }
}

customElements.define("ls-timeline", Timeline);
