// Prometheus' text format, as far as this service writes it.

/** @typedef {{name: string, labels: Object<string, string>, value: number}} Sample */

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { n: "\n", '"': '"', "\\": "\\" };

/** @param {string} text @returns {Sample[]} */
export function parse(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : LINE.exec(line);
    if (found === null) continue;
    const [, name, labels, value] = found;
    samples.push({
      name,
      labels: labelsOf(labels ?? ""),
      value: value === "+Inf" ? Infinity : Number(value),
    });
  }
  return samples;
}

/** @param {string} text */
function labelsOf(text) {
  const pairs = [...text.matchAll(LABEL)].map(([, name, value]) => [
    name,
    value.replace(/\\(.)/g, (_, letter) => ESCAPED[letter] ?? letter),
  ]);
  return Object.fromEntries(pairs);
}
