// SPDX-License-Identifier: MIT
// Figures and times as people read them. Times are shown in the reader's zone;
// what is behind them stands in the element's title, in UTC.
import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB",
  { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB",
  { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB",
  { day: "numeric", month: "short" });

// How far the agent's clock is ahead of this one.
let ahead = 0;

export function setNow(text) {
  ahead = Date.parse(text) - Date.now();
}

export function now() {
  return Date.now() + ahead;
}

export function count(value) {
  return value === null || value === undefined ? "–" : whole.format(value);
}

export function percent(part, all) {
  if (!all) {
    return "–";
  }
  const value = 100 * part / all;
  // 99.97 % is not all
  const text = part !== all && value > 99.9 ? "99.9" : value.toFixed(
    value === 100 || value === 0 ? 0 : 1);
  return `${text}\u202f%`;
}

export function span(ms) {
  if (ms === null || ms === undefined) {
    return "–";
  }
  const steps = [[86400000, "d"], [3600000, "h"], [60000, "min"]];
  for (const [size, unit] of steps) {
    if (ms >= 2 * size || (ms >= size && ms % size === 0)) {
      return `${Math.round(ms / size)}\u202f${unit}`;
    }
  }
  if (ms >= 1000) {
    const seconds = ms / 1000;
    return `${seconds >= 10 || ms % 1000 === 0 ? Math.round(seconds)
      : seconds.toFixed(1)}\u202fs`;
  }
  return `${Math.round(ms)}\u202fms`;
}

export function bytes(value) {
  if (value < 1000) {
    return `${value}\u202fB`;
  }
  return value < 1e6 ? `${(value / 1e3).toFixed(1)}\u202fkB`
    : `${(value / 1e6).toFixed(1)}\u202fMB`;
}

export function at(ms, short) {
  const moment = new Date(ms);
  const text = (short ? minute : clock).format(moment);
  const today = new Date(now()).toDateString() === moment.toDateString();
  return today || short ? text : `${day.format(moment)} ${text}`;
}

// "12:03:10", with the day where that is another; "–" for null.
export function time(text) {
  if (!text) {
    return h("span", { class: "none" }, "–");
  }
  return h("time", { datetime: text, title: text }, at(Date.parse(text)));
}

function relative(ms) {
  const gone = now() - ms;
  if (Math.abs(gone) < 1000) {
    return "now";
  }
  return gone > 0 ? `${span(Math.floor(gone / 1000) * 1000)} ago`
    : `in ${span(Math.ceil(-gone / 1000) * 1000)}`;
}

// "4 s ago", "in 3 s".
export function ago(text) {
  if (!text) {
    return h("span", { class: "none" }, "–");
  }
  const ms = Date.parse(text);
  return h("time", { datetime: text, title: `${at(ms)} · ${text}` },
    relative(ms));
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}
