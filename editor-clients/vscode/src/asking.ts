/** Questions about what keeps changing: one at a time about each thing, and of those that come meanwhile only the last. */
export class Asking {
  /** What is being asked about; true where it has to be asked once more. */
  readonly #again = new Map<string, boolean>();

  /** Ask, by doing `work`; or have whoever is at it already do it once more. `work` tells of its own errors. */
  async about(thing: string, work: () => Promise<void>): Promise<void> {
    if (this.#again.has(thing)) {
      this.#again.set(thing, true);
      return;
    }
    try {
      do {
        this.#again.set(thing, false);
        await work();
      } while (this.#again.get(thing) === true);
    } finally {
      this.#again.delete(thing);
    }
  }
}
