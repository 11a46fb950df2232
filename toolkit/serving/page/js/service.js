// One request to the service: the token goes with it, and whatever goes wrong is a Problem.

import { keptToken } from "./token.js";

/** Tells "offline" and "online" when that changes. */
export const line = new EventTarget();
let isOnline = true;

/** What went wrong, for people and for retries. */
export class Problem extends Error {
  /** @param {string} kind of the service's list, or one of ours: offline, no_picture, unexpected @param {Object} [facts] */
  constructor(kind, facts = {}) {
    super(facts.detail ?? kind);
    this.kind = kind;
    /** @type {string} */ this.detail = facts.detail ?? "";
    /** @type {string} */ this.request = facts.request_id ?? "";
    /** @type {number | null} seconds after which another try may succeed */
    this.retryAfter = facts.retryAfter ?? null;
  }
}

/** Who is asked for a token when there is none or it is refused; answers whether there is a new one. */
let askForToken = async () => false;

/** @param {() => Promise<boolean>} ask */
export function onRefused(ask) {
  askForToken = ask;
}

/**
 * @param {string} path
 * @param {{method?: string, body?: any, signal?: AbortSignal, as?: "json" | "blob" | "text"}} [options]
 * @returns {Promise<any>}
 */
export async function ask(path, options = {}) {
  for (;;) {
    const token = keptToken();
    try {
      return await askOnce(path, token, options);
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.kind !== "unauthorised") throw problem;
      const isRenewed = keptToken() !== token || (await askForToken());
      if (!isRenewed) throw problem;
    }
  }
}

/**
 * Asks with this token, and does not ask the person for another.
 * @param {string} path
 * @param {string} token
 * @param {{method?: string, body?: any, signal?: AbortSignal, as?: "json" | "blob" | "text"}} [options]
 */
export async function askOnce(path, token, { method = "GET", body, signal, as = "json" } = {}) {
  // Another token may see other pictures under the same address: nothing is kept.
  /** @type {Record<string, string>} */
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal, credentials: "omit", cache: "no-store" });
    tell(true);
    if (answer.ok) return await answer[as]();
  } catch (error) {
    if (signal?.aborted) throw error;
    tell(false);
    throw new Problem("offline");
  }
  throw await problemOf(answer);
}

/** @param {Response} answer */
async function problemOf(answer) {
  const after = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  const retryAfter = Number.isNaN(after) ? null : after;
  try {
    const facts = await answer.json();
    return new Problem(facts.kind ?? "unexpected", { ...facts, retryAfter });
  } catch {
    return new Problem("unexpected", { detail: `HTTP ${answer.status}`, retryAfter });
  }
}

/** Says whether the service answers. @param {boolean} online */
export function tell(online) {
  if (online === isOnline) return;
  isOnline = online;
  line.dispatchEvent(new Event(online ? "online" : "offline"));
}
