// SPDX-License-Identifier: MIT
// Requests that were not accepted, with the cause; the head of one, without
// what its sender proves itself with.
import { h } from "./dom.js";
import { ask, query } from "./api.js";
import { live } from "./live.js";
import { bytes, count, plural, time } from "./format.js";
import { button, empty, panel, Screen, table, title } from "./parts.js";

const CAUSES = {
  bad_signature: "the signature is not what the secret makes of the bytes",
  stale: "signed too long ago, or in the future",
  refused: "a rule of the connector refuses it",
  too_large: "larger than listen.max_body",
  rate_limited: "one address sent too many at once",
  malformed: "no event could be read in it",
};

class Refusals extends Screen {
  topics = ["status", "refusals"];
  items = null;
  heads = new Map();

  filters() {
    return { connector: this.given.query.connector || "",
      cause: this.given.query.cause || "" };
  }

  take() {
    this.reload();
  }

  async load() {
    const all = await ask(query("refusals", { limit: 500,
      connector: this.filters().connector }));
    this.items = all.items;
    this.older = all.next_cursor !== null;
  }

  go(name, value) {
    location.hash = query("#/refusals", { ...this.filters(), [name]: value });
  }

  async head(one) {
    if (!this.heads.delete(one.id)) {
      try {
        this.heads.set(one.id, (await ask(`refusals/${one.id}`)).head);
      } catch (error) {
        this.heads.set(one.id, [error.message]);
      }
    }
    this.draw();
  }

  causes() {
    const sums = new Map();
    for (const one of this.items) {
      sums.set(one.cause, (sums.get(one.cause) || 0) + 1 + one.more);
    }
    const chosen = this.filters().cause;
    return h("div", { class: "causes", role: "group", "aria-label": "Causes" },
      [...sums].sort((a, b) => b[1] - a[1]).map(([cause, all]) =>
        button([h("b", {}, count(all)), ` ${cause.replace("_", " ")}`],
          () => this.go("cause", chosen === cause ? "" : cause), "cause",
          { title: CAUSES[cause], "aria-pressed": String(chosen === cause) })));
  }

  row(one) {
    const head = this.heads.get(one.id);
    const opened = String(Boolean(head));
    return { key: one.id, cells: [
      time(one.at), one.connector,
      h("span", { title: CAUSES[one.cause] }, one.cause.replace("_", " ")),
      [one.why, one.more ? h("small", {}, ` and ${
        plural(one.more, "more", "more")} like it`) : null, head ? h("pre", {},
        head.length ? head.join("\n") : "no head could be read") : null],
      one.status || "–", one.peer || "–", bytes(one.body_bytes),
      button(head ? "Hide" : "Head", () => this.head(one), "",
        { "aria-expanded": opened, "aria-label": `Head of refusal ${one.id}` }),
    ] };
  }

  view() {
    if (!this.items) {
      return [title("Refusals"), empty("Asking the agent…")];
    }
    const { connector, cause } = this.filters();
    const names = (live.status?.connectors || []).map(each => each.name);
    const rows = this.items.filter(one => !cause || one.cause === cause);
    return [
      title("Refusals", h("p", { class: "hint" },
        "Requests that were not accepted. Their bodies are not kept.")),
      h("form", { class: "filters", "data-key": "filters", onsubmit: event =>
        event.preventDefault() }, h("label", {}, h("span", {}, "Connector"),
        h("select", { onchange: event => this.go("connector",
          event.target.value) }, h("option", { value: "" }, "all"),
        names.map(name => h("option", { value: name,
          selected: name === connector }, name)))), this.causes()),
      panel("refused", "The newest", table("Refusals", ["At", "Connector",
        "Cause", ["Why", "why"], ["Answer", "num"], "From", ["Body", "num"],
        ""],
      rows.map(one => this.row(one)), empty(cause || connector
        ? "None meets this filter." : "Nothing was refused.",
      cause || connector ? h("a", { href: "#/refusals" }, "Show all")
        : "Every request that came was genuine.")),
      this.older ? h("p", { class: "hint" }, "Older ones are kept too: ",
        h("code", {}, "longstop refusals"), " lists them.") : null),
    ];
  }
}

customElements.define("ls-refusals", Refusals);
