// SPDX-License-Identifier: MIT
// What the screens are put together from. A meaning is never a colour alone: a
// sign of its own shape and a word go with each.
import { h, patch } from "./dom.js";
import { send } from "./api.js";
import { on } from "./live.js";

const CHANNELS = {
  webhook: "●", poll: "◆", stream: "▲", backfill: "■",
};

export function channel(name) {
  return h("span", { class: `via via-${name}` },
    h("i", { "aria-hidden": "true" }, CHANNELS[name] || "·"), name);
}

const SIGNS = { ok: "✓", wait: "◌", warn: "!", bad: "✕", off: "‖" };

// kind: ok, wait, warn, bad or off
export function state(kind, text) {
  return h("span", { class: `state is-${kind}` },
    h("i", { "aria-hidden": "true" }, SIGNS[kind]), text);
}

// What became of an event: deliveries that are owed, and dead letters.
export function fate(event) {
  if (event.dead) {
    return state("bad", event.dead === 1 ? "dead" : `${event.dead} dead`);
  }
  return event.owed ? state("wait", "owed") : state("ok", "settled");
}

export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("p", {}, h("b", {}, title)),
    more.length ? h("p", {}, ...more) : null);
}

export function title(text, ...more) {
  return h("div", { class: "title" }, h("h1", { tabindex: "-1" }, text),
    ...more);
}

export function panel(name, heading, ...children) {
  return h("section", { class: `panel ${name}`, "data-key": name,
    "aria-label": heading }, h("h2", {}, heading), ...children);
}

export function button(text, onclick, kind = "", more = {}) {
  return h("button", { type: "button", class: kind, onclick, ...more }, text);
}

// Rows of a small table: heads are texts, or [text, class]. Roles are said, for
// where the page is narrow it is drawn as something else.
export function table(label, heads, rows, none) {
  if (!rows.length) {
    return none;
  }
  const classes = heads.map(head => Array.isArray(head) ? head[1] : null);
  const names = heads.map(head => Array.isArray(head) ? head[0] : head);
  return h("div", { class: "scroll", tabindex: "0", role: "group",
    "aria-label": label },
    h("table", { role: "table" }, h("thead", { role: "rowgroup" }, h("tr",
      { role: "row" }, names.map((name, i) => h(name ? "th" : "td",
        { role: name ? "columnheader" : "cell", class: classes[i] }, name)))),
    h("tbody", { role: "rowgroup" }, rows.map(row => h("tr",
      { "data-key": row.key, role: "row" },
      row.cells.map((cell, i) => h(i === 0 ? "th" : "td",
        { class: classes[i], role: i === 0 ? "rowheader" : "cell",
          "data-label": names[i] }, ...[cell].flat())))))));
}

// ---- saying what was done ----

let gone = 0;

// Says it to everybody: at the foot of the page, and to screen readers.
export function say(text, kind = "ok") {
  document.getElementById("said").textContent = text;
  let note = document.getElementById("note");
  if (!note) {
    note = h("div", { id: "note", "aria-hidden": "true" });
    document.body.append(note);
  }
  patch(note, [state(kind, text)]);
  clearTimeout(gone);
  gone = setTimeout(() => note.remove(), 6000);
}

// Does it, and says how it went.
export async function act(what, done) {
  try {
    const answer = await what();
    say(typeof done === "function" ? done(answer) : done);
    return answer;
  } catch (error) {
    say(error.message, "bad");
    return null;
  }
}

// Asks in a dialog; resolves to the values of its fields, or to null.
export function confirm(heading, body, verb, inputs = []) {
  return new Promise(resolve => {
    const before = document.activeElement;
    const rows = inputs.map(([name, label, value, hint]) => h("label", {},
      h("span", {}, label), h("input", { name, value, autocomplete: "off",
        spellcheck: "false" }), hint ? h("small", {}, hint) : null));
    let answer = null;
    const yes = () => {
      answer = {};
      dialog.querySelectorAll("input").forEach(input => {
        answer[input.name] = input.value.trim();
      });
      dialog.close();
    };
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" },
      h("form", { onsubmit: event => { event.preventDefault(); yes(); } },
        h("h2", { id: "dialog-title" }, heading),
        [body].flat().map(part => part instanceof Node ? part
          : h("p", {}, part)),
        rows,
        h("div", { class: "buttons" },
          button("Cancel", () => dialog.close()),
          h("button", { type: "submit", class: "main" }, verb))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus?.();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    (dialog.querySelector("input") || dialog.querySelector(".main")).focus();
  });
}

// ---- what several screens do ----

// Retries, drops or replays what a filter meets, after saying how many that is;
// `expected`: how many whoever pressed the button has seen.
export async function errand(filter, heading, verb, expected) {
  const preview = await act(
    () => send("errands", { ...filter, preview: true }), answer =>
      `${answer.matches} would be concerned`);
  if (!preview) {
    return null;
  }
  const matches = preview.matches;
  const words = matches === 0 ? "Nothing meets this any more."
    : `${matches} ${matches === 1 ? "delivery is" : "deliveries are"} ` +
      "concerned" + (matches > expected ? `: ${matches - expected} more than ` +
      "are in this group, for their cause has its words in it" : "") +
      ". It goes on in the background, and over restarts.";
  if (matches === 0) {
    say(words, "warn");
    return null;
  }
  if (!await confirm(heading, words, verb)) {
    return null;
  }
  return act(() => send("errands", filter),
    answer => `${verb}: errand ${answer.errand} has begun`);
}

export async function pause(kind, name) {
  const answer = await confirm(`Pause ${name}?`, kind === "handlers"
    ? "Nothing is given to it until it is resumed; what is owed waits."
    : "Its list is not asked until it is resumed; webhooks are taken as ever.",
  "Pause", [["reason", "Why (others will read it)", ""]]);
  if (answer) {
    const reason = answer.reason
      ? `?reason=${encodeURIComponent(answer.reason)}` : "";
    await act(() => send(`${kind}/${encodeURIComponent(name)}/pause${reason}`),
      `${name} is paused`);
  }
}

export function resume(kind, name) {
  return act(() => send(`${kind}/${encodeURIComponent(name)}/resume`),
    `${name} goes on`);
}

// ---- screens ----

const STALE_MS = 10000;

// A screen: `load` asks, `view` shows. It is drawn anew when something on its
// topics has happened, at most once in `pace` ms; and after STALE_MS anyway,
// for what is told may be stored a moment later.
export class Screen extends HTMLElement {
  topics = ["status"];
  pace = 1000;
  error = "";

  connectedCallback() {
    this.ends = this.topics.map(topic => on(topic, data =>
      topic === "status" ? this.stands() : this.changed(topic, data)));
    this.ends.push(on("lost", () => this.again()));
    this.loaded = 0;
    this.reload();
  }

  disconnectedCallback() {
    this.ends.forEach(end => end());
    clearTimeout(this.timer);
    this.timer = null;
    this.ended = true;
  }

  changed() {
    this.again();
  }

  stands() {
    this.draw();
    if (this.load && Date.now() - this.loaded > STALE_MS) {
      this.changed("status", {});
    }
  }

  again() {
    if (!this.timer) {
      this.timer = setTimeout(() => {
        this.timer = null;
        this.reload();
      }, Math.max(50, this.pace - (Date.now() - this.loaded)));
    }
  }

  async reload() {
    this.loaded = Date.now();
    try {
      await this.load?.();
      this.error = "";
    } catch (error) {
      this.error = error.message;
    }
    if (!this.ended) {
      this.draw();
    }
  }

  draw() {
    if (!this.ended) {
      patch(this, [this.error ? h("p", { class: "trouble", "data-key": "error",
        role: "alert" }, state("bad", this.error)) : null,
      ...[this.view()].flat()]);
    }
  }
}
