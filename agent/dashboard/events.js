// SPDX-License-Identifier: MIT
// The events that are kept, the newest first; filters stand in the address.
import { h } from "./dom.js";
import { ask, query } from "./api.js";
import { live } from "./live.js";
import { bytes, plural, time } from "./format.js";
import { button, channel, empty, fate, Screen, title } from "./parts.js";

const PAGE = 500;
const MOST = 50000;   // rows that are kept in the page
const FILTERS = ["connector", "via", "type"];
const VIAS = ["webhook", "poll", "stream", "backfill"];

// Larger number, later acceptance; they do not fit a double.
const newer = (a, b) => a.length !== b.length ? a.length > b.length : a > b;

class Events extends Screen {
  topics = ["status", "events", "deliveries"];
  pace = 1000;
  items = [];
  cursor = null;
  done = false;
  following = true;

  filters() {
    return Object.fromEntries(FILTERS.map(name => [name,
      this.given.query[name] || ""]));
  }

  changed() {
    if (this.following) {
      this.again();
    }
  }

  take() {
    const wanted = JSON.stringify(this.filters());
    if (wanted !== this.shown) {
      this.items = [];
      this.cursor = null;
      this.done = false;
      this.reload();
    }
  }

  page(cursor) {
    return ask(query("events", { ...this.filters(), limit: PAGE, fate: 1,
      cursor }));
  }

  // The newest page, and as many behind it as it takes to meet what is here:
  // however long the agent was away, no row is missing and none is twice.
  async load() {
    const wanted = JSON.stringify(this.filters());
    const known = this.shown === wanted ? this.items[0]?.number : undefined;
    let page = await this.page();
    const fresh = page.items;
    while (known && page.next_cursor && newer(page.next_cursor, known) &&
      fresh.length < MOST) {
      page = await this.page(page.next_cursor);
      fresh.push(...page.items);
    }
    if (wanted !== JSON.stringify(this.filters())) {
      return;
    }
    this.shown = wanted;
    const last = fresh.at(-1)?.number;
    if (known) {
      this.items = fresh.concat(last ? this.items.filter(
        event => newer(last, event.number)) : []);
    } else {
      this.items = fresh;
      this.cursor = page.next_cursor;
      this.done = !page.next_cursor;
    }
    if (this.items.length > MOST) {
      this.items.length = MOST;
      this.cursor = null;
      this.done = true;
      this.cut = true;
    }
  }

  async more() {
    if (this.fetching || this.done || !this.cursor) {
      return;
    }
    this.fetching = true;
    try {
      const page = await this.page(this.cursor);
      const last = this.items.at(-1)?.number;
      this.items = this.items.concat(page.items.filter(
        event => !last || newer(last, event.number)));
      this.cursor = page.next_cursor;
      this.done = !page.next_cursor || this.items.length >= MOST;
    } catch (error) {
      this.error = error.message;
    } finally {
      this.fetching = false;
    }
    this.draw();
  }

  go(name, value) {
    const values = { ...this.filters(), [name]: value };
    location.hash = query("#/events", values);
  }

  select(name, label, options) {
    const chosen = this.filters()[name];
    return h("label", {}, h("span", {}, label), h("select", { name,
      onchange: event => this.go(name, event.target.value) },
    h("option", { value: "" }, "all"), options.map(option => h("option",
      { value: option, selected: option === chosen }, option))));
  }

  bar() {
    const names = (live.status?.connectors || []).map(each => each.name);
    return h("form", { class: "filters", "data-key": "filters", role: "search",
      "aria-label": "Filter events", onsubmit: event => {
        event.preventDefault();
        this.go("type", event.target.elements.type.value.trim());
      } },
    this.select("connector", "Connector", names),
    this.select("via", "By", VIAS),
    h("label", {}, h("span", {}, "Type"), h("input", { name: "type",
      value: this.filters().type, placeholder: "order.*", "data-search": true,
      autocomplete: "off", spellcheck: "false",
      onchange: event => this.go("type", event.target.value.trim()) })),
    button(this.following ? "Following" : "Follow", () => {
      this.following = !this.following;
      this.again();
      this.draw();
    }, "", { "aria-pressed": String(this.following), "data-shortcut": "f" }));
  }

  columns() {
    return [
      { name: "time", head: "Accepted", cell: event => time(event.recorded) },
      { name: "connector", head: "Connector", cell: event => event.connector },
      { name: "type", head: "Type", cell: event => event.type || "–" },
      { name: "id", head: "Id",
        cell: event => h("code", {}, event.id || event.number) },
      { name: "via", head: "By", cell: event => [channel(event.via),
        event.other ? h("small", { title: `The other channel showed it at ${
          event.other}` }, " + both") : null] },
      { name: "state", head: "State", cell: fate },
      { name: "bytes", head: "Body", cell: event => bytes(event.body_bytes) },
    ];
  }

  view() {
    const any = Object.values(this.filters()).some(Boolean);
    const href = event => `#/events/${event.number}`;
    return [
      title("Events", h("p", { class: "hint" }, this.shown === undefined
        ? "Asking the agent…" : `${plural(this.items.length, "event")}${
          this.cut ? ", the newest" : this.done ? "" : " read so far"}`)),
      this.bar(),
      this.shown === undefined ? null : this.items.length ? h("ls-rows",
        { "data-own": true, "data-key": "rows", class: "events", props: {
          label: "Events", columns: this.columns(), items: this.items,
          key: event => event.number, href, done: this.done,
          more: () => this.more(),
          open: event => { location.hash = href(event); } } })
        : any ? empty("No event meets these filters.",
          h("a", { href: "#/events" }, "Show all"))
          : empty("No event yet.", "What a webhook or a walk brings is here " +
            "as soon as it is on disk."),
    ];
  }
}

customElements.define("ls-events", Events);
