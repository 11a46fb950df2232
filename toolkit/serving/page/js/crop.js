// A box over a picture, drawn with mouse or finger, moved and resized with those or with arrow keys.

import { element } from "./element.js";
import { percent, sayAttribute } from "./language.js";

/** @typedef {import("./picture.js").Box} Box */

const SMALLEST = 0.03;
const STEP = 0.02;
const FIRST = { left: 0.15, top: 0.15, width: 0.7, height: 0.7 };
const CORNERS = ["nw", "ne", "sw", "se"];
const MOVES = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** The box of one stage; `box` is null as long as the whole picture counts. */
export class Crop {
  /**
   * @param {HTMLElement} stage around the picture, of its shape
   * @param {(box: Box | null) => void} onDone the person has let go, or pressed Enter
   */
  constructor(stage, onDone) {
    this.stage = stage;
    this.onDone = onDone;
    /** @type {Box | null} */ this.box = null;
    this.frame = element("div", { class: "crop", tabindex: 0, role: "group", hidden: true });
    this.frame.append(...CORNERS.map((corner) => element("i", { "data-corner": corner })));
    stage.append(this.frame);
    stage.addEventListener("pointerdown", (event) => this.press(event));
    this.frame.addEventListener("keydown", (event) => this.key(event));
  }

  /** Shows a box to begin with, for fingers and keys. */
  begin() {
    if (this.box === null) this.set({ ...FIRST });
    this.frame.focus();
  }

  clear() {
    if (this.box === null) return;
    this.set(null);
    this.onDone(null);
  }

  /** @param {Box | null} box */
  set(box) {
    this.box = box;
    this.frame.hidden = box === null;
    this.stage.classList.toggle("cropping", box !== null);
    if (box === null) return;
    for (const [side, share] of Object.entries(box)) this.frame.style[side] = `${share * 100}%`;
    const said = {
      left: percent(box.left),
      top: percent(box.top),
      width: percent(box.width),
      height: percent(box.height),
    };
    sayAttribute(this.frame, "aria-label", "crop.box", said);
  }

  /** @param {PointerEvent} event */
  press(event) {
    // A finger scrolls the page until there is a box.
    if (event.button !== 0 || (event.pointerType === "touch" && this.box === null)) return;
    event.preventDefault();
    const target = /** @type {HTMLElement} */ (event.target);
    const start = this.place(event);
    const before = this.box;
    const drag = this.dragged(target, start, before);
    const move = (/** @type {PointerEvent} */ to) => this.set(drag(this.place(to)));
    const done = () => {
      this.stage.removeEventListener("pointermove", move);
      const box = this.box;
      if (box !== null && (box.width < SMALLEST || box.height < SMALLEST)) this.set(before);
      else if (box !== before) this.onDone(box);
    };
    this.stage.setPointerCapture(event.pointerId);
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("lostpointercapture", done, { once: true });
  }

  /**
   * Returns what a drag makes of the place it has come to.
   * @param {HTMLElement} target
   * @param {{x: number, y: number}} start
   * @param {Box | null} before
   * @returns {(to: {x: number, y: number}) => Box}
   */
  dragged(target, start, before) {
    const corner = target.dataset.corner;
    if (before !== null && corner !== undefined) {
      const fixed = {
        x: corner.includes("w") ? before.left + before.width : before.left,
        y: corner.includes("n") ? before.top + before.height : before.top,
      };
      return (to) => between(fixed, to);
    }
    if (before !== null && target === this.frame)
      return (to) => moved(before, to.x - start.x, to.y - start.y);
    return (to) => between(start, to);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.box === null) return;
    /** @type {[number, number] | undefined} */ const step = MOVES[event.key];
    if (step !== undefined) this.set(event.shiftKey ? resized(this.box, ...step) : moved(this.box, ...step));
    else if (event.key === "Enter") this.onDone(this.box);
    else if (event.key === "Escape" || event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {PointerEvent} event @returns {{x: number, y: number}} in shares of the stage */
  place(event) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return {
      x: within((event.clientX - left) / width, 0, 1),
      y: within((event.clientY - top) / height, 0, 1),
    };
  }
}

/** @param {number} value @param {number} low @param {number} high */
const within = (value, low, high) => Math.min(high, Math.max(low, value));

/** @param {{x: number, y: number}} a @param {{x: number, y: number}} b @returns {Box} */
const between = (a, b) => ({
  left: Math.min(a.x, b.x),
  top: Math.min(a.y, b.y),
  width: Math.abs(a.x - b.x),
  height: Math.abs(a.y - b.y),
});

/** @param {Box} box @param {number} x @param {number} y @returns {Box} */
const moved = (box, x, y) => ({
  ...box,
  left: within(box.left + x, 0, 1 - box.width),
  top: within(box.top + y, 0, 1 - box.height),
});

/** @param {Box} box @param {number} x @param {number} y @returns {Box} its right and lower side moved */
const resized = (box, x, y) => ({
  ...box,
  width: within(box.width + x, SMALLEST, 1 - box.left),
  height: within(box.height + y, SMALLEST, 1 - box.top),
});
