// SPDX-License-Identifier: MIT
// The page: its head, which screen the address means, and the form for the
// token. Screens are custom elements; each is a file of its own.
import { h, patch } from "./dom.js";
import { onLocked, setToken } from "./api.js";
import { live, on, setState, start } from "./live.js";
import { count, span } from "./format.js";
import { help, listen } from "./keys.js";
import { setTheme, theme } from "./system.js";
import "./timeline.js";
import "./rows.js";
import "./overview.js";
import "./connectors.js";
import "./events.js";
import "./event.js";
import "./dead.js";
import "./refusals.js";
import "./handlers.js";

const SCREENS = [
  ["", "Overview", "ls-overview"],
  ["connectors", "Connectors", "ls-connectors", "ls-connector"],
  ["events", "Events", "ls-events", "ls-event"],
  ["dead", "Dead letters", "ls-dead"],
  ["refusals", "Refusals", "ls-refusals"],
  ["handlers", "Handlers", "ls-handlers"],
  ["system", "System", "ls-system"],
];

const main = document.getElementById("main");
let shown = null; // { tag, name } of the screen

function route() {
  const [path, text] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, ...rest] = path.split("/");
  const screen = SCREENS.find(each => each[0] === first) || SCREENS[0];
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch {
    // as it stands
  }
  return { screen, name, tag: name && screen[3] ? screen[3] : screen[2],
    query: Object.fromEntries(new URLSearchParams(text || "")) };
}

// ---- the head ----

const BADGES = {
  live: ["live", "Live"],
  connecting: ["away", "Connecting…"],
  away: ["away", "Reconnecting…"],
  locked: ["away", "Locked"],
  crowded: ["away", "Each 5 s"],
};

function badge() {
  const [kind, text] = BADGES[live.state];
  const gone = Date.now() - live.since;
  return h("span", { class: `live is-${kind}`, id: "live", "data-state":
    live.state }, h("i", { "aria-hidden": "true" }), text,
  live.state === "away" && gone > 3000 ? ` ${span(
    Math.floor(gone / 1000) * 1000)}` : "");
}

function head() {
  const { screen } = route();
  const dead = live.status?.handlers.reduce((all, each) => all + each.dead, 0);
  patch(document.getElementById("head"), [
    h("a", { class: "brand", href: "#/", "aria-label": "Longstop, overview" },
      h("span", { class: "stumps", "aria-hidden": "true" }, h("i"), h("i"),
        h("i")), h("b", {}, "Longstop")),
    h("nav", { "aria-label": "Screens" }, SCREENS.map(each => h("a",
      { href: `#/${each[0]}`, "data-key": each[0] || "overview",
        "aria-current": each === screen ? "page" : null }, each[1],
      each[0] === "dead" && dead ? h("span", { class: "many" }, count(dead))
        : null))),
    badge(),
    h("button", { type: "button", class: "quiet", onclick: help, "aria-label":
      "Keyboard shortcuts" }, "?"),
  ]);
}

// ---- screens ----

function show() {
  const { screen, name, tag, query } = route();
  head();
  document.querySelector("nav [aria-current]").scrollIntoView(
    { block: "nearest", inline: "nearest" });
  document.title = `${name || screen[1]} – Longstop`;
  if (live.state === "locked") {
    return;
  }
  if (shown && shown.tag === tag && shown.name === name) {
    shown.element.given = { name, query };
    shown.element.take?.();
    return;
  }
  const first = shown === null;
  const element = document.createElement(tag);
  element.given = { name, query };
  shown = { tag, name, element };
  main.replaceChildren(element);
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    document.getElementById("said").textContent = name || screen[1];
  }
}

function lock() {
  if (document.getElementById("token")) {
    return;
  }
  shown = null;
  const input = h("input", { id: "token", type: "password", name: "token",
    autocomplete: "current-password", required: true });
  main.replaceChildren(h("form", { class: "panel lock", onsubmit: event => {
    event.preventDefault();
    setToken(input.value.trim());
    setState("connecting");
    show();
    start();
  } }, h("h1", {}, "The agent wants its token"),
  h("p", {}, "It stands in the configuration, as ", h("code", {},
    "admin.token"), ". It is kept in this tab, and forgotten with it."),
  h("label", {}, h("span", {}, "Token"), input),
  h("div", { class: "buttons" }, h("button", { type: "submit", class: "main" },
    "Open"))));
  input.focus();
}

// ---- what is said aloud ----

let spoken = "";
let spokenAt = 0;

// The figures, for screen readers: when they have changed, and not too often.
function speak() {
  const status = live.status;
  if (!status || Date.now() - spokenAt < 15000) {
    return;
  }
  const all = name => status.connectors.reduce((sum, each) =>
    sum + Object.values(each[name]).reduce((a, b) => a + b, 0), 0);
  const of = (list, name) => list.reduce((sum, each) => sum + each[name], 0);
  const text = `${count(all("events"))} events, ${
    count(of(status.connectors, "recovered"))} recovered, ${
    count(of(status.handlers, "pending"))} owed, ${
    count(of(status.handlers, "dead"))} dead letters`;
  if (text !== spoken) {
    spoken = text;
    spokenAt = Date.now();
    document.getElementById("figures").textContent = text;
  }
}

setTheme(theme());
onLocked.call = () => setState("locked");
let before = "connecting";
on("state", state => {
  head();
  // that it is live is said to who has heard that it was not
  if (state !== "live" || before !== "connecting") {
    document.getElementById("said").textContent = BADGES[state][1];
  }
  before = state;
  if (state === "locked") {
    lock();
  }
});
on("status", () => {
  head();
  speak();
});
addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault();
  main.focus();
});
listen(index => {
  location.hash = `#/${SCREENS[index][0]}`;
});
setInterval(() => live.state === "away" && head(), 1000);
show();
start();
