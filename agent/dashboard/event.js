// SPDX-License-Identifier: MIT
// One event with all that is known of it: its life-line, what is owed, each
// attempt, and the provider's bytes, as text.
import { h } from "./dom.js";
import { askText, send } from "./api.js";
import { bytes, count, span, time } from "./format.js";
import { act, button, channel, confirm, empty, errand, panel, Screen,
  state, table, title } from "./parts.js";

const OUTCOMES = { done: ["ok", "done"], retry: ["warn", "tried again"],
  dead: ["bad", "given up"] };
const STATES = { waiting: ["wait", "waiting"], running: ["wait", "running"],
  dead: ["bad", "dead"] };
const SHOWN = 200000; // characters of a body

// JSON with its lines indented and every token as it was received: a number
// that no double holds stays the number it is.
function indented(json) {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  const tokens = /"(?:[^"\\]|\\.)*"|\s+|[{[]\s*[}\]]|[{}[\],:]/g;
  return json.replace(tokens, token => {
    if (/^\s/.test(token)) {
      return "";
    }
    if (token === "{" || token === "[") {
      depth++;
      return token + line();
    }
    if (token === "}" || token === "]") {
      depth--;
      return line() + token;
    }
    return token === "," ? token + line() : token === ":" ? ": "
      : token.startsWith('"') ? token : token[0] + token.at(-1);
  });
}

// The provider's JSON as it stands in the answer, whose last member it is.
function dataOf(text) {
  const at = text.indexOf(',"data":');
  return at < 0 ? null : text.slice(at + 8, text.lastIndexOf("}"));
}

const parse = text => text ? Date.parse(text) : null;

class Event extends Screen {
  topics = ["status", "deliveries", "events"];
  pace = 500;
  raw = false;

  changed(topic, data) {
    const number = topic === "deliveries" ? data.event : data.number;
    if (topic === "status" || number === this.event?.number) {
      this.again();
    }
  }

  async load() {
    const text = await askText(`events/${encodeURIComponent(
      this.given.name)}?body=1`);
    this.event = JSON.parse(text);
    this.data = dataOf(text);
  }

  // [time, sign, what, more] in the order in which it happened.
  steps(event) {
    const steps = [];
    const add = (moment, kind, what, ...more) => steps.push(
      { moment, kind, what, more });
    if (event.time) {
      add(parse(event.time), "ok", "It happened", h("small", {},
        "by the provider's clock"));
    }
    event.seen.forEach((seen, index) => add(parse(seen.at), "ok",
      [index === 0 ? "Accepted by " : "Shown again by ", channel(seen.via)],
      h("small", {}, index === 0 ? "verified, and on disk before anybody was " +
        "told so" : "known by its key, and not handed on again")));
    if (event.fill?.asked) {
      add(parse(event.fill.asked), "wait", "Its webhook was asked for again");
    }
    if (event.fill?.filled) {
      add(parse(event.fill.filled), "ok", `Filled by ${event.fill.by}`);
    }
    for (const attempt of event.attempts) {
      const [kind, word] = OUTCOMES[attempt.outcome];
      add(parse(attempt.started), kind, [h("b", {}, attempt.handler),
        ` attempt ${attempt.attempt}: ${word}`],
      h("small", {}, `took ${span(attempt.duration_ms)}`, attempt.detail
        ? `; ${attempt.detail}` : "", attempt.next
        ? [", again at ", time(attempt.next)] : ""),
      attempt.output ? h("pre", {}, attempt.output) : null);
    }
    steps.sort((a, b) => a.moment - b.moment);
    return steps;
  }

  lifeline(event) {
    let before = null;
    const items = this.steps(event).map((step, index) => {
      const gone = before === null ? null : step.moment - before;
      before = step.moment;
      return h("li", { class: `is-${step.kind}`, "data-key": `s${index}` },
        h("span", { class: "when" }, time(new Date(step.moment).toISOString()),
          gone === null ? null : h("small", {}, gone < 0
            ? `${span(-gone)} earlier` : `+${span(gone)}`)),
        h("span", { class: "what" }, step.what, step.more));
    });
    const open = event.deliveries.map(each => h("li", { class: `is-${
      STATES[each.state][0]} open`, "data-key": `d${each.handler}` },
    h("span", { class: "when" }, each.due ? time(each.due)
      : each.dead ? time(each.dead) : "–"),
    h("span", { class: "what" }, h("b", {}, each.handler), " ",
      state(...STATES[each.state]), h("small", {}, each.behind_another
        ? "behind an earlier one of its order" : each.state === "waiting"
          ? `attempt ${each.attempt + 1} is due` : each.reason || "",
      each.answer && each.answer !== each.reason ? `: ${each.answer}` : "",
      each.again ? `; ${each.again}` : ""), this.buttons(event, each))));
    return h("ol", { class: "life" }, items, open);
  }

  buttons(event, delivery) {
    if (delivery.state !== "dead") {
      return null;
    }
    const filter = { event: event.number, handler: delivery.handler };
    return h("span", { class: "buttons" },
      button("Retry", () => act(() => send("errands",
        { kind: "retry", ...filter }), "It is tried again")),
      button("Drop…", async () => {
        if (await confirm("Let it go?", `${delivery.handler} will not be ` +
          "given this event.", "Drop it")) {
          await act(() => send("errands", { kind: "drop", ...filter }),
            "It is dropped");
          this.again();
        }
      }));
  }

  body(event) {
    if (this.data === null) {
      return { text: event.data_base64 || "", note: "not JSON: its bytes in " +
        "base64" };
    }
    return { text: this.raw ? this.data : indented(this.data),
      note: this.raw ? "as it was received" : "" };
  }

  bytes(event) {
    const { text, note } = this.body(event);
    const copy = () => act(() => navigator.clipboard.writeText(text),
      "The body is on the clipboard");
    return [h("div", { class: "bar-of" },
      button(this.raw ? "Indented" : "As received", () => {
        this.raw = !this.raw;
        this.draw();
      }), button("Copy", copy), h("small", {}, note)),
    h("pre", { class: "body", tabindex: "0", "aria-label": "Body" },
      text.slice(0, SHOWN), text.length > SHOWN
        ? `\n… and ${count(text.length - SHOWN)} more characters` : "")];
  }

  replay(event) {
    return errand({ kind: "replay", event: event.number },
      `Replay ${event.id}?`, "Replay");
  }

  view() {
    const event = this.event;
    if (!event) {
      return [title(`Event ${this.given.name}`), this.error
        ? empty("It cannot be shown.") : empty("Asking the agent…")];
    }
    const fields = event.headers ? event.headers.split("\n").filter(Boolean)
      : [];
    const link = `longstop show ${event.number}`;
    return [
      title(event.type || "Event", channel(event.via), h("p",
        { class: "hint" }, h("a", { href: `#/connectors/${
          encodeURIComponent(event.connector)}` }, event.connector), " · ",
        h("code", {}, event.id), ` · ${bytes(event.body_bytes)} · `,
        h("code", {}, event.number)),
      h("div", { class: "buttons" },
        button("Replay…", () => this.replay(event)),
        button("Copy command", () => act(() =>
          navigator.clipboard.writeText(link), link)))),
      panel("lifeline", "Life-line", this.lifeline(event),
        event.attempts.length || event.deliveries.length ? null
          : h("p", { class: "hint" }, `No attempt is kept: no handler ${
            ""}wanted it, or its attempts are older than keep.attempts.`)),
      panel("bytes", `Body${event.content_type ? ` (${event.content_type})`
        : ""}`, this.bytes(event)),
      panel("fields", "Fields", table("Fields", ["Name", "Value"],
        fields.map((line, i) => {
          const colon = line.indexOf(":");
          return { key: String(i), cells: [line.slice(0, colon),
            h("code", {}, line.slice(colon + 1).trim())] };
        }), empty("None are kept.", event.via === "poll"
          ? "A row of a list has none." : ""))),
    ];
  }
}

customElements.define("ls-event", Event);
