// SPDX-License-Identifier: MIT
// What happens, as it happens: the agent's stream, read by fetch so that the
// token can go along; and how it all stands, asked for again when something
// has happened. The stream says what changed, the API says how it is: what is
// shown is never a sum of guesses.
//
// A browser has six connections to one host, and a stream keeps one. So of all
// tabs the one that has the lock reads along, and tells the others.
import { ask, fields } from "./api.js";
import { setNow } from "./format.js";

const RETRY_MS = 2000;
const SILENT_MS = 40000;  // the stream beats each 15 s
const STATUS_MS = 900;    // between two looks at the status, at least
const CALM_MS = 5000;     // at most, while the page is seen

const listeners = new Map();

// Calls `what` for each entry of a topic, and for "status", "state" and "lost";
// returns a function that ends it.
export function on(topic, what) {
  const all = listeners.get(topic) || new Set();
  listeners.set(topic, all);
  all.add(what);
  return () => all.delete(what);
}

function tell(topic, data) {
  for (const what of [...(listeners.get(topic) || [])]) {
    what(data);
  }
}

export const live = {
  state: "connecting", // "live", "away", "locked", "crowded"
  since: Date.now(),
  last: "",            // number of the last entry seen
  status: null,
  stats: null,
  error: "",
};

const LOCK = "longstop.stream";
const others = new BroadcastChannel(LOCK);
let reads = false; // this tab has the lock

export function setState(state) {
  if (reads) {
    others.postMessage({ state });
  }
  if (live.state !== state) {
    live.state = state;
    live.since = Date.now();
    tell("state", state);
  }
}

// ---- how it stands ----

let asked = 0;
let timer = 0;
let asking = false;

async function look() {
  timer = 0;
  if (asking) {
    return;
  }
  asking = true;
  asked = Date.now();
  try {
    live.status = await ask("status");
    live.error = "";
    setNow(live.status.now);
    tell("status", live.status);
  } catch (error) {
    live.error = error.message;
    if (error.status !== 401) {
      tell("status", live.status);
    }
  } finally {
    asking = false;
    lookSoon(CALM_MS);
  }
}

// Has the status asked for, but not more often than that is of use.
export function lookSoon(most = 0) {
  const wait = Math.max(most, STATUS_MS - (Date.now() - asked), 0);
  const due = Date.now() + wait;
  if (timer && timer.due <= due) {
    return;
  }
  clearTimeout(timer?.id);
  timer = { due, id: setTimeout(look, wait) };
}

// ---- the stream ----

// Lines to blocks (WHATWG HTML, 9.2.6); the agent's data are one line each.
function take(block) {
  let topic = "";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) {
      live.last = line.slice(4);
    } else if (line.startsWith("event: ")) {
      topic = line.slice(7);
    } else if (line.startsWith("data: ")) {
      data += line.slice(6);
    }
  }
  const entry = { last: live.last, topic,
    value: data ? JSON.parse(data) : null };
  others.postMessage(entry);
  pass(entry);
}

function pass({ topic, value }) {
  if (!topic || !value) {
    return;
  }
  if (topic === "stats") {
    live.stats = value;
  } else {
    lookSoon();
  }
  tell(topic, value);
}

others.onmessage = ({ data }) => {
  if (reads) {
    if (data.asks) {
      others.postMessage({ state: live.state, last: live.last });
    }
    return;
  }
  live.last = data.last || live.last;
  if (data.state && live.state !== "locked" && data.state !== "locked") {
    setState(data.state);
  }
  pass(data);
};

async function read(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    alive();
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    blocks.forEach(take);
  }
}

// One connection, from its beginning to its end.
async function connect() {
  const ends = new AbortController();
  const leave = () => ends.abort();
  addEventListener("pagehide", leave);
  let silence = 0;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => ends.abort(), SILENT_MS);
  };
  alive();
  try {
    const reply = await fetch("/api/v1/stream", {
      cache: "no-store", signal: ends.signal,
      headers: fields(live.last ? { "Last-Event-ID": live.last } : {}),
    });
    if (!reply.ok) {
      return reply.status === 401 ? "locked"
        : reply.status === 503 ? "crowded" : "away";
    }
    setState("live");
    lookSoon();
    await read(reply.body, alive);
    return "away";
  } catch {
    return "away";
  } finally {
    clearTimeout(silence);
    removeEventListener("pagehide", leave);
  }
}

// Reads along until the agent wants a token.
async function readOn() {
  reads = true;
  for (;;) {
    const end = await connect();
    setState(end);
    if (end === "locked") {
      break;
    }
    await new Promise(done => setTimeout(done, RETRY_MS));
  }
  reads = false;
}

let running = false;

// Begins, for as long as the page is there and over every interruption.
export async function start() {
  lookSoon();
  if (!running) {
    running = true;
    others.postMessage({ asks: true });
    await navigator.locks.request(LOCK, readOn);
    running = false;
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    lookSoon();
  }
});
