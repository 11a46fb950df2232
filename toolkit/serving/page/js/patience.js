// A service that is busy says when to come again: this waits for it, and tells how long.

import { Problem } from "./service.js";

const MOST_TRIES = 5;

/**
 * @template T
 * @param {() => Promise<T>} action
 * @param {{signal?: AbortSignal, onWait?: (seconds: number) => void, tries?: number}} [options] onWait is
 *   told each second how many are left
 * @returns {Promise<T>}
 */
export async function patiently(action, { signal, onWait = () => {}, tries = MOST_TRIES } = {}) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await action();
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.retryAfter === null || attempt >= tries) throw problem;
      for (let left = problem.retryAfter; left > 0; left -= 1) {
        onWait(left);
        await second(signal);
      }
    }
  }
}

/** @param {AbortSignal} [signal] @returns {Promise<void>} */
function second(signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
