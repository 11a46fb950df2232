// Pictures of records: fetched with the token when they come into sight, a few at a time.

import * as api from "./api.js";
import { patiently } from "./patience.js";

const AT_A_TIME = 6;
const MOST_KEPT = 300;
const SIDE = 320;
const MANY_TRIES = 100;
const MARGIN = "300px";

/** The thumbnails of one list. */
export class Thumbnails {
  constructor() {
    this.ending = new AbortController();
    /** @type {Map<HTMLImageElement, () => Promise<Blob>>} in sight, and not fetched yet */ this.waiting =
      new Map();
    /** @type {WeakMap<Element, () => Promise<Blob>>} */ this.loads = new WeakMap();
    /** @type {Map<string, Blob>} of lists before: the next search often finds the same */ this.kept =
      new Map();
    this.underWay = 0;
    this.observer = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: MARGIN });
  }

  /**
   * @param {HTMLImageElement} image gets class `missing` when there is no picture
   * @param {string} database
   * @param {import("./api.js").Picture} record
   */
  show(image, database, record) {
    if (record.savename === null) {
      image.classList.add("missing");
      return;
    }
    const signal = this.ending.signal;
    const load = () => this.load(database, record, signal);
    this.loads.set(image, () => patiently(load, { signal, tries: MANY_TRIES }));
    this.observer.observe(image);
  }

  /** @param {string} database @param {import("./api.js").Picture} record @param {AbortSignal} signal */
  async load(database, record, signal) {
    const key = JSON.stringify([database, record.group_id, record.intra_id, record.savename]);
    const blob = this.kept.get(key) ?? (await api.keptPicture(database, record, { side: SIDE, signal }));
    if (this.kept.size >= MOST_KEPT) this.kept.delete(this.kept.keys().next().value ?? "");
    this.kept.set(key, blob);
    return blob;
  }

  /** Shows no more of this list; what is under way ends. */
  clear() {
    this.ending.abort();
    this.observer.disconnect();
    this.waiting.clear();
    this.ending = new AbortController();
  }

  /** @param {IntersectionObserverEntry[]} entries */
  seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const image = /** @type {HTMLImageElement} */ (target);
      const load = this.loads.get(image);
      if (isIntersecting && load !== undefined) this.waiting.set(image, load);
      else this.waiting.delete(image);
    }
    this.next();
  }

  next() {
    for (const [image, load] of this.waiting) {
      if (this.underWay >= AT_A_TIME) return;
      this.waiting.delete(image);
      this.observer.unobserve(image);
      this.fetch(image, load);
    }
  }

  /** @param {HTMLImageElement} image @param {() => Promise<Blob>} load */
  async fetch(image, load) {
    this.underWay += 1;
    const { signal } = this.ending;
    try {
      const blob = await load();
      if (!signal.aborted) await shown(image, blob);
    } catch {
      image.classList.add("missing");
    }
    this.underWay -= 1;
    this.next();
  }
}

/**
 * Shows bytes in an image; their address ends when they are there.
 * @param {HTMLImageElement} image
 * @param {Blob} blob
 */
export async function shown(image, blob) {
  const url = URL.createObjectURL(blob);
  try {
    image.src = url;
    await image.decode();
    image.classList.add("there");
  } finally {
    URL.revokeObjectURL(url);
  }
}
