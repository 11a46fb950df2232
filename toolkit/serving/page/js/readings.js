// Counters that only grow, read twice, become figures of the time between.

/** @typedef {import("./prometheus.js").Sample} Sample */

/** Asking for the metrics is no work of the service. */
const UNCOUNTED = "/metrics";

/** All samples of one moment. */
export class Reading {
  /** @param {number} seconds when @param {Sample[]} samples */
  constructor(seconds, samples) {
    this.seconds = seconds;
    this.samples = samples.filter((sample) => sample.labels.route !== UNCOUNTED);
  }

  /** @param {string} name @param {(sample: Sample) => boolean} [fits] @returns {number} the sum */
  sum(name, fits = () => true) {
    return this.samples.reduce(
      (sum, sample) => (sample.name === name && fits(sample) ? sum + sample.value : sum),
      0,
    );
  }

  /** @param {string} name of a histogram @returns {Map<number, number>} upper bound -> how many were not above it */
  buckets(name) {
    const found = new Map();
    for (const { name: its, labels, value } of this.samples) {
      if (its !== `${name}_bucket`) continue;
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      found.set(bound, (found.get(bound) ?? 0) + value);
    }
    return found;
  }
}

/**
 * The figures of the time between two readings; null where nothing happened.
 * @param {Reading} before
 * @param {Reading} now
 * @returns {Object<string, number | null>}
 */
export function figures(before, now) {
  const seconds = now.seconds - before.seconds;
  const grown = (/** @type {string} */ name, /** @type {(sample: Sample) => boolean} */ fits = () => true) =>
    Math.max(0, now.sum(name, fits) - before.sum(name, fits));
  const batches = grown("toolkit_batch_size_count");
  const failed = (/** @type {Sample} */ sample) => Number(sample.labels.status) >= 400;
  return {
    requests: grown("toolkit_requests_total") / seconds,
    failures: grown("toolkit_requests_total", failed) / seconds,
    median: quantile(before, now, 0.5),
    slow: quantile(before, now, 0.95),
    queue: now.sum("toolkit_queue_depth"),
    // This very look is one of them.
    underway: Math.max(0, now.sum("toolkit_requests_under_way") - 1),
    batch: batches > 0 ? grown("toolkit_batch_size_sum") / batches : null,
    records: now.sum("toolkit_index_records"),
    processor: grown("process_cpu_seconds_total") / seconds,
    memory: now.sum("process_resident_memory_bytes"),
  };
}

/**
 * The latency that a share of the requests between two readings stayed under, within a bucket in proportion.
 * @param {Reading} before
 * @param {Reading} now
 * @param {number} share
 * @returns {number | null} seconds
 */
export function quantile(before, now, share) {
  const name = "toolkit_request_seconds";
  const earlier = before.buckets(name);
  const counts = [...now.buckets(name)]
    .sort(([a], [b]) => a - b)
    .map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)]);
  const wanted = share * (counts.at(-1)?.[1] ?? 0);
  if (wanted <= 0) return null;
  let [low, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= wanted)
      return bound === Infinity ? low : low + ((bound - low) * (wanted - below)) / (count - below);
    [low, below] = [bound, count];
  }
  return low;
}
