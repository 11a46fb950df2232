// A small line of the last minutes.

import { drawn } from "./element.js";

const [WIDTH, HEIGHT, EDGE] = [300, 72, 4];

/**
 * @param {(number | null)[][]} series each as long as the others; null is a gap
 * @param {number} most how many points the whole width has; fewer begin further right
 * @returns {SVGElement}
 */
export function chart(series, most) {
  const top = Math.max(1e-9, ...series.flat().map((value) => value ?? 0));
  const lines = series.map((values, at) => line(values, most, top, at)).flat();
  const view = {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    class: "chart",
    "aria-hidden": "true",
  };
  return drawn("svg", view, ...lines);
}

/** @param {(number | null)[]} values @param {number} most @param {number} top @param {number} at of the series */
function line(values, most, top, at) {
  const x = (/** @type {number} */ index) => (WIDTH * (index + most - values.length)) / (most - 1);
  const y = (/** @type {number} */ value) => HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * value) / top;
  if (at > 0 && values.every((value) => !value)) return [];
  return stretches(values).flatMap(([from, to]) => {
    const points = values
      .slice(from, to)
      .map((value, index) => `${x(from + index).toFixed(1)},${y(value ?? 0).toFixed(1)}`);
    const path = points.length > 1 ? `M${points.join("L")}` : `M${points[0]}h0.1`;
    const area = `${path}L${x(to - 1).toFixed(1)},${HEIGHT}L${x(from).toFixed(1)},${HEIGHT}Z`;
    const stroke = drawn("path", {
      d: path,
      class: `line series-${at}`,
      "vector-effect": "non-scaling-stroke",
    });
    return at === 0 ? [drawn("path", { d: area, class: "area" }), stroke] : [stroke];
  });
}

/** Runs of values without a gap, as [from, to). @param {(number | null)[]} values @returns {number[][]} */
function stretches(values) {
  /** @type {number[][]} */ const found = [];
  values.forEach((value, index) => {
    if (value === null) return;
    const last = found.at(-1);
    if (last !== undefined && last[1] === index) last[1] = index + 1;
    else found.push([index, index + 1]);
  });
  return found;
}
