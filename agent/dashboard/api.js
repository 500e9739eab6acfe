// SPDX-License-Identifier: MIT
// Asks the agent's API. The token, where one is wanted, lives in this tab's
// sessionStorage and goes out as a field, never in a URL.

const TOKEN = "longstop.token";

export class Problem extends Error {
  constructor(status, title) {
    super(title);
    this.status = status;
  }
}

// Called when the agent asks for a token, or for another one.
export const onLocked = { call: () => {} };

export function setToken(token) {
  if (token) {
    sessionStorage.setItem(TOKEN, token);
  } else {
    sessionStorage.removeItem(TOKEN);
  }
}

export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

export function fields(more) {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? { ...more }
    : { ...more, Authorization: `Bearer ${token}` };
}

async function words(reply) {
  if (reply.status === 401) {
    return "the agent wants its token (admin.token)";
  }
  try {
    return (await reply.json()).title;
  } catch {
    return `the agent answered ${reply.status}`;
  }
}

// Returns the answer's text; throws a Problem, whose status is 0 where the
// agent could not be reached.
export async function askText(path, options = {}) {
  let reply;
  try {
    reply = await fetch(`/api/v1/${path}`, {
      ...options, cache: "no-store", headers: fields(options.headers),
    });
  } catch (error) {
    if (error.name === "AbortError") {
      throw error;
    }
    throw new Problem(0, "the agent does not answer");
  }
  if (!reply.ok) {
    if (reply.status === 401) {
      onLocked.call();
    }
    throw new Problem(reply.status, await words(reply));
  }
  return reply.text();
}

export async function ask(path, options) {
  return JSON.parse(await askText(path, options));
}

export function send(path, body, method = "POST") {
  return ask(path, {
    method, body: body === undefined ? undefined : JSON.stringify(body),
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
  });
}

// "events?connector=shop&limit=50" of what is given and not empty.
export function query(path, values) {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") {
      text.set(name, value);
    }
  }
  return text.size ? `${path}?${text}` : path;
}
