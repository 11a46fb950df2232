// Of several answers under way only the one that was asked for last counts.

/** One thing that is asked for again and again. */
export class Latest {
  constructor() {
    /** @type {AbortController | null} */ this.underWay = null;
  }

  /**
   * Ends what is under way and begins anew. What the work does after it was overtaken is its own affair:
   * `isLatest` tells, and a failure of overtaken work is not reported.
   * @param {(signal: AbortSignal, isLatest: () => boolean) => Promise<void>} work
   * @param {(error: any) => void} onFailure
   */
  async run(work, onFailure) {
    this.stop();
    const mine = new AbortController();
    this.underWay = mine;
    const isLatest = () => this.underWay === mine;
    try {
      await work(mine.signal, isLatest);
    } catch (error) {
      if (isLatest()) onFailure(error);
    }
  }

  stop() {
    this.underWay?.abort();
    this.underWay = null;
  }
}
