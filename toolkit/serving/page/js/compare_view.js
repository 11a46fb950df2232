// Compare: how alike two pictures are.

import * as api from "./api.js";
import { byId, button, element } from "./element.js";
import { likeness } from "./hits.js";
import { listen, makeIntake, takeDrops } from "./intake.js";
import { number, percent } from "./language.js";
import { Latest } from "./latest.js";
import { announce, showNothing, showProblem, showRemark, showWaiting } from "./notices.js";
import { patiently } from "./patience.js";
import { Picture, readPicture } from "./picture.js";
import { session } from "./session.js";

const SIDES = ["a", "b"];

export class CompareView {
  constructor() {
    this.verdict = byId("verdict");
    this.latest = new Latest();
    /** @type {Object<string, Picture | null>} */ this.pictures = { a: null, b: null };
    /** @type {Object<string, Latest>} */ this.reading = { a: new Latest(), b: new Latest() };
    for (const side of SIDES) this.offer(side);
    showRemark(this.verdict, "compare.two");
  }

  enter() {
    this.stopListening = listen((files) => this.take(this.free(), files));
  }

  leave() {
    this.stopListening?.();
  }

  /** Where the next picture goes: an empty place, or the second. */
  free() {
    return SIDES.find((side) => this.pictures[side] === null) ?? "b";
  }

  /** @param {Blob} a @param {Blob} b */
  compare(a, b) {
    this.take("a", [a]);
    this.take("b", [b]);
  }

  /** @param {string} side */
  offer(side) {
    makeIntake(byId(`compare-${side}`), (files) => this.take(side, files), { title: `compare.${side}` });
  }

  /** @param {string} side @param {Blob[]} files the first one; a second goes to the other side */
  take(side, files) {
    if (files.length > 1) this.take(side === "a" ? "b" : "a", [files[1]]);
    this.reading[side].run(
      async (_signal, isLatest) => {
        if (session.about === null) await session.refresh();
        const picture = await readPicture(files[0], /** @type {any} */ (session.about));
        if (!isLatest()) return;
        this.pictures[side]?.close();
        this.pictures[side] = picture;
        this.show(side, picture);
        this.ask();
      },
      (error) => showProblem(this.verdict, error),
    );
  }

  /** @param {string} side @param {Picture} picture */
  show(side, picture) {
    const place = byId(`compare-${side}`);
    const image = element("img", { class: "compared", src: picture.size && picture.url });
    /** @type {HTMLImageElement} */ (image).alt = picture.name;
    const zone = element(
      "div",
      { class: "filled" },
      image,
      button("compare.another", "picture", () => this.empty(side)),
    );
    place.replaceChildren(zone);
    takeDrops(zone, (files) => this.take(side, files));
  }

  /** @param {string} side */
  empty(side) {
    this.latest.stop();
    this.pictures[side]?.close();
    this.pictures[side] = null;
    this.offer(side);
    showRemark(this.verdict, "compare.two");
    byId(`compare-${side}`).querySelector("button")?.focus();
  }

  ask() {
    const { a, b } = this.pictures;
    if (a === null || b === null) return;
    this.latest.run(
      async (signal, isLatest) => {
        showWaiting(this.verdict, "compare.waiting");
        const onWait = (/** @type {number} */ seconds) => showWaiting(this.verdict, "wait.busy", { seconds });
        const answer = await patiently(() => api.match(a.blob, b.blob, signal), { signal, onWait });
        if (isLatest()) this.tell(answer);
      },
      (error) => showProblem(this.verdict, error, () => this.ask()),
    );
  }

  /** @param {{similarity: number, cosine_similarity: number, l2_distance: number}} answer */
  tell(answer) {
    const values = { similarity: percent(answer.similarity) };
    showNothing(this.verdict);
    this.verdict.append(
      element("p", { class: "muted", words: "hit.similarity" }),
      likeness(answer.similarity),
      element(
        "p",
        { class: "fine" },
        `cosine ${number(answer.cosine_similarity, 4)} · L2 ${number(answer.l2_distance, 4)}`,
      ),
    );
    announce("compare.said", values);
  }
}
