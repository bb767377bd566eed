/** How long to wait before a connection that ended is made again. */

const FIRST = 250;
const LONGEST = 30_000;

/** A connection that has lasted so long, in milliseconds, starts the count anew. */
const STEADY = 60_000;

/** After so many ends in a row nothing is tried any more. */
const MOST = 8;

export class Backoff {
  #ends = 0;

  /** The milliseconds to wait after a connection that lasted so many; undefined to give up. */
  ended(lasted: number): number | undefined {
    this.#ends = lasted >= STEADY ? 1 : this.#ends + 1;
    return this.#ends > MOST ? undefined : Math.min(LONGEST, FIRST * 2 ** (this.#ends - 1));
  }

  /** The person has asked for it: count anew. */
  reset(): void {
    this.#ends = 0;
  }
}
