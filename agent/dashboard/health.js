// SPDX-License-Identifier: MIT
// What the figures of a connector and a handler say about how they are.
import { h } from "./dom.js";
import { ago, count, now, percent, plural, span } from "./format.js";
import { state } from "./parts.js";

const has = (connector, name) => connector.channels.includes(name);

export const hasBoth = connector => has(connector, "poll") &&
  (has(connector, "webhook") || has(connector, "stream"));

// What share of the events that both channels have shown came by webhook in
// time; null while there is nothing to tell from.
export function coverage(connector) {
  const all = connector.confirmed + connector.recovered;
  return hasBoth(connector) && all > 0
    ? { part: connector.confirmed, all } : null;
}

export function coverageText(connector) {
  const share = coverage(connector);
  return share ? percent(share.part, share.all) : "–";
}

export const COVERAGE = "Of the events that the list has shown, so many had " +
  "their webhook within the grace period. Counted since the store was made.";

export const isShort = connector => connector.lag &&
  connector.lag.covered_ms > 0 &&
  connector.lag.longest_ms * 5 >= connector.lag.covered_ms * 4;

// [kind, words] of what is not as it should be with a connector.
export function troubles(connector) {
  const list = [];
  const failing = connector.tiers.find(tier => tier.failures > 0);
  if (failing) {
    list.push(["bad", `${plural(failing.failures, "walk")} in a row failed` +
      (failing.last_walk?.error ? `: ${failing.last_walk.error}` : "")]);
  }
  if (connector.open_gaps) {
    list.push(["bad", `${plural(connector.open_gaps, "open gap")}: ` +
      "what was in it could not be read"]);
  }
  if (connector.webhook_silent) {
    list.push(["warn", "webhooks have stopped, and walks go on bringing " +
      "events: is the provider's subscription still on?"]);
  }
  if (connector.stream?.error) {
    list.push(["warn", `stream: ${connector.stream.error}`]);
  }
  if (isShort(connector)) {
    list.push(["warn", `the list shows events ${span(
      connector.lag.longest_ms)} late, and its overlap covers ${span(
      connector.lag.covered_ms)}: raise poll.overlap`]);
  }
  if (connector.paused) {
    list.push(["off", "paused" +
      (connector.paused_why ? `: ${connector.paused_why}` : "")]);
  }
  return list;
}

export function connectorState(connector) {
  const worst = troubles(connector)[0];
  if (!worst) {
    return state("ok", "well");
  }
  return state(worst[0], { bad: "failing", warn: "look", off: "paused" }[
    worst[0]]);
}

export function handlerTroubles(handler) {
  const list = [];
  if (handler.breaker !== "closed") {
    list.push(["bad", handler.breaker === "open"
      ? "fails whatever it is given, and is left alone"
      : "is being tried again, with one delivery"]);
  }
  if (handler.dead) {
    list.push(["warn", plural(handler.dead, "dead letter")]);
  }
  if (handler.paused) {
    list.push(["off", "paused" +
      (handler.paused_why ? `: ${handler.paused_why}` : "")]);
  }
  return list;
}

export function handlerState(handler) {
  if (handler.paused) {
    return state("off", "paused");
  }
  return handler.breaker === "closed" ? state("ok", "well")
    : state(handler.breaker === "open" ? "bad" : "warn",
      `breaker ${handler.breaker}`);
}

// A bar of what share came by webhook, the rest being what walks recovered.
export function coverageBar(connector) {
  const share = coverage(connector);
  if (!share) {
    return null;
  }
  return h("span", { class: "bar", "aria-hidden": "true" },
    h("i", { class: "hook", style: { width:
      `${100 * share.part / share.all}%` } }),
    h("i", { class: "walk", style: { width:
      `${100 - 100 * share.part / share.all}%` } }));
}

// The measured lag on the length of what the overlap covers.
export function lagBar(connector) {
  const { longest_ms: lag, covered_ms: covered } = connector.lag || {};
  if (!covered) {
    return null;
  }
  const part = Math.min(1, lag / covered);
  return h("span", { class: "bar", "aria-hidden": "true" },
    h("i", { class: isShort(connector) ? "bad" : "lag",
      style: { width: `${100 * part}%` } }));
}

export function lagText(connector) {
  const lag = connector.lag;
  if (!lag) {
    return "no list is polled";
  }
  if (!lag.covered_ms) {
    return "nothing is read twice";
  }
  return `${span(lag.longest_ms)} of ${span(lag.covered_ms)}`;
}

export function nextWalk(connector) {
  const dues = connector.tiers.map(tier => tier.next_walk).filter(Boolean);
  dues.sort();
  return connector.paused ? "paused" : dues.length ? ago(dues[0]) : "–";
}

export function lastWalk(connector) {
  const walks = connector.tiers.map(tier => tier.last_walk).filter(Boolean);
  walks.sort((a, b) => a.ended < b.ended ? 1 : -1);
  return walks[0] || null;
}

export const sum = values => Object.values(values).reduce(
  (all, value) => all + value, 0);

// How far behind now a connector is proven complete.
export function behind(connector) {
  return connector.complete_until
    ? now() - Date.parse(connector.complete_until) : null;
}

export { count };
