// SPDX-License-Identifier: MIT
// What was given up, by handler and cause; to try again, or to let go. And what
// is under way of that.
import { h } from "./dom.js";
import { ask, query, send } from "./api.js";
import { count, plural, time } from "./format.js";
import { act, button, confirm, empty, errand, panel, Screen, state, table,
  title } from "./parts.js";

const SHOWN = 50;
const VERBS = { retry: "Retry", drop: "Drop", replay: "Replay" };

const keyOf = group => JSON.stringify([group.handler, group.reason,
  group.answer]);

class Dead extends Screen {
  topics = ["status", "deliveries"];
  pace = 1500;
  groups = null;
  letters = new Map(); // key of a group that is open: its letters
  errands = [];

  changed(topic, data) {
    if (data.outcome !== "retry") {
      this.again();
    }
  }

  // The words that tell this group from the others best.
  filter(group) {
    return { handler: group.handler, reason: group.answer || group.reason };
  }

  async load() {
    const [reasons, errands] = await Promise.all([ask("dead/reasons"),
      ask("errands?limit=10")]);
    this.groups = reasons.items;
    this.total = reasons.total;
    this.errands = errands.items;
    for (const group of this.groups) {
      if (this.letters.has(keyOf(group))) {
        await this.open(group);
      }
    }
    if (this.errands.some(each => each.state === "running")) {
      this.again();
    }
  }

  async open(group) {
    const page = await ask(query("dead", { ...this.filter(group),
      limit: SHOWN }));
    this.letters.set(keyOf(group), page.items.filter(letter =>
      letter.reason === group.reason && letter.answer === group.answer));
  }

  async toggle(group) {
    if (this.letters.delete(keyOf(group))) {
      this.draw();
    } else {
      await act(() => this.open(group), `${plural(group.count, "dead letter")
      } of ${group.handler}`);
      this.draw();
    }
  }

  async many(kind, group) {
    await errand({ kind, ...this.filter(group) }, `${VERBS[kind]} what ${
      group.handler} gave up for “${group.answer || group.reason}”?`,
    VERBS[kind], group.count);
    this.again();
  }

  group(group) {
    const key = keyOf(group);
    const letters = this.letters.get(key);
    return h("article", { class: "panel group", "data-key": key },
      h("div", { class: "group-head" },
        h("b", { class: "many" }, count(group.count)),
        h("div", { class: "cause" }, h("h2", {}, group.answer || group.reason),
          h("p", { class: "hint" }, h("b", {}, group.handler),
            group.answer ? ` · ${group.reason}` : "", " · first ",
            time(group.first), ", last ", time(group.last))),
        h("div", { class: "buttons" },
          button(letters ? "Hide" : "Show", () => this.toggle(group), "",
            { "aria-expanded": String(Boolean(letters)) }),
          button("Retry…", () => this.many("retry", group), "main"),
          button("Drop…", () => this.many("drop", group)))),
      letters ? table("Dead letters", ["Given up", "Connector", "Type", "Id",
        ["Attempts", "num"]], letters.map(letter => ({ key: letter.letter,
        cells: [time(letter.dead), letter.connector, letter.type || "–",
          h("a", { href: `#/events/${letter.number}` },
            h("code", {}, letter.id)), count(letter.attempt)] })),
      empty("They have gone meanwhile.")) : null,
      letters && group.count > letters.length ? h("p", { class: "hint" },
        `The newest ${letters.length} of ${count(group.count)}.`) : null);
  }

  errand(each) {
    const what = [each.event ? `event ${each.event}` : null, each.handler,
      each.connector, each.type, each.reason].filter(Boolean).join(", ");
    const running = each.state === "running";
    return { key: each.errand, cells: [`${VERBS[each.kind]}`, what || "all",
      running ? state("wait", `${each.percent}\u202f%`)
        : state(each.state === "done" ? "ok" : "off", each.state),
      count(each.done), count(each.skipped), count(each.open),
      time(each.began), running ? button("Cancel…", async () => {
        if (await confirm("Cancel it?", "What it has made owed stays so.",
          "Cancel it")) {
          await act(() => send(`errands/${each.errand}`, undefined, "DELETE"),
            "It is cancelled");
          this.again();
        }
      }) : ""] };
  }

  view() {
    if (!this.groups) {
      return [title("Dead letters"), empty("Asking the agent…")];
    }
    return [
      title("Dead letters", h("p", { class: "hint" }, this.total
        ? `${count(this.total)} in ${plural(this.groups.length, "group")}, by ${
          ""}handler and cause` : "")),
      this.groups.length ? this.groups.map(group => this.group(group))
        : empty("No dead letter.", "Every delivery is done, or still owed."),
      panel("errands", "Retries, drops and replays", table("Errands",
        ["What", "Of", "State", ["Done", "num"], ["Skipped", "num"],
          ["Still open", "num"], "Began", ""],
        this.errands.map(each => this.errand(each)),
        empty("None has been asked for."))),
    ];
  }
}

customElements.define("ls-dead", Dead);
