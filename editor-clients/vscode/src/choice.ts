/** Which agents a task is for, and how many runs of each. */

import type { RequestedAgent } from "./protocol.ts";

/** The daemon takes no more of one agent. */
const MOST = 100;

/** How an agent begins that is a command of one's own. */
export const INLINE = "sh:";

/** What is typed to take agents in: a command of one's own, or one that is known, so many times, as in `claude*3`. */
export function typed(words: string, known: readonly string[]): Required<Pick<RequestedAgent, "agent" | "count">> | undefined {
  const text = words.trim();
  if (text.startsWith(INLINE)) {
    return text.length > INLINE.length ? { agent: text, count: 1 } : undefined;
  }
  const [, name, count] = /^(.+?)\s*[*×]\s*(\d+)$/.exec(text) ?? [];
  const agent = known.find((one) => one === name);
  return agent === undefined ? undefined : { agent, count: Math.min(MOST, Number(count)) };
}

export class Choice {
  readonly #counts: Map<string, number>;

  constructor(remembered: readonly RequestedAgent[]) {
    this.#counts = new Map(remembered.map((one) => [one.agent, one.count ?? 1]));
  }

  /** Those that are taken, in the order in which they were. */
  get names(): string[] {
    return [...this.#counts.keys()];
  }

  get all(): RequestedAgent[] {
    return [...this.#counts].map(([agent, count]) => ({ agent, count }));
  }

  /** How many of an agent; 0 where it is not taken. */
  count(agent: string): number {
    return this.#counts.get(agent) ?? 0;
  }

  /** Have so many of it. */
  set(agent: string, count: number): void {
    this.add(agent, count - this.count(agent));
  }

  /** Take an agent in, or out. */
  toggle(agent: string): void {
    this.add(agent, this.count(agent) > 0 ? -this.count(agent) : 1);
  }

  /** So many more of it, or less. */
  add(agent: string, number: number): void {
    const count = Math.min(MOST, this.count(agent) + number);
    if (count > 0) {
      this.#counts.set(agent, count);
    } else {
      this.#counts.delete(agent);
    }
  }
}
