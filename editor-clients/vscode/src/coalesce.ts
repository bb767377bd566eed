/** Coalesce repeated work: for each key at most one running and one pending. */

export class Coalescer {
  /** The keys with running work; true where the work is pending once more. */
  readonly #pending = new Map<string, boolean>();

  /** Run `work`. Where work for the key is already running, run that once more after it. `work` reports its own errors. */
  async run(key: string, work: () => Promise<void>): Promise<void> {
    if (this.#pending.has(key)) {
      this.#pending.set(key, true);
      return;
    }
    try {
      do {
        this.#pending.set(key, false);
        await work();
      } while (this.#pending.get(key) === true);
    } finally {
      this.#pending.delete(key);
    }
  }
}
