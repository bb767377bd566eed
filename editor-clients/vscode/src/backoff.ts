/** The waits before a lost connection is made again, which double with each attempt. */

/** Milliseconds before the first attempt. */
const FIRST = 250;

/** Maximum milliseconds before an attempt. */
const LONGEST = 30_000;

/** Milliseconds after which a connection counts as steady and resets the count. */
const STEADY = 60_000;

/** Maximum number of attempts in a row. */
const MAX_ATTEMPTS = 8;

export class Backoff {
  #ends = 0;

  /** Milliseconds to wait after a connection that lasted `lasted` milliseconds; undefined to give up. */
  ended(lasted: number): number | undefined {
    this.#ends = lasted >= STEADY ? 1 : this.#ends + 1;
    return this.#ends > MAX_ATTEMPTS ? undefined : Math.min(LONGEST, FIRST * 2 ** (this.#ends - 1));
  }

  /** Reset the count, when the person requests a connection. */
  reset(): void {
    this.#ends = 0;
  }
}
