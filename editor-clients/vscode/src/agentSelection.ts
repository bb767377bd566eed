/** The agents chosen for a task, and the number of runs of each. */

import type { RequestedAgent } from "./protocol.ts";

/** Maximum number of runs of one agent; the daemon accepts no more. */
const MAX_RUNS = 100;

/** The prefix of an agent that is a shell command. */
export const INLINE = "sh:";

/** Parse typed text: a shell command, or a known agent with a count, as in `claude*3`. */
export function parseAgent(words: string, known: readonly string[]): Required<Pick<RequestedAgent, "agent" | "count">> | undefined {
  const text = words.trim();
  if (text.startsWith(INLINE)) {
    return text.length > INLINE.length ? { agent: text, count: 1 } : undefined;
  }
  const [, name, count] = /^(.+?)\s*[*×]\s*(\d+)$/.exec(text) ?? [];
  const agent = known.find((one) => one === name);
  return agent === undefined ? undefined : { agent, count: Math.min(MAX_RUNS, Number(count)) };
}

export class AgentSelection {
  readonly #counts: Map<string, number>;

  constructor(remembered: readonly RequestedAgent[]) {
    this.#counts = new Map(remembered.map((one) => [one.agent, one.count ?? 1]));
  }

  /** The chosen agents, in the order in which they were chosen. */
  get names(): string[] {
    return [...this.#counts.keys()];
  }

  /** The chosen agents with their counts, as the protocol has them. */
  get all(): RequestedAgent[] {
    return [...this.#counts].map(([agent, count]) => ({ agent, count }));
  }

  /** Return the number of runs of an agent; 0 where it is not chosen. */
  count(agent: string): number {
    return this.#counts.get(agent) ?? 0;
  }

  /** Set the number of runs of an agent. */
  set(agent: string, count: number): void {
    this.add(agent, count - this.count(agent));
  }

  /** Choose an agent, or remove it. */
  toggle(agent: string): void {
    this.add(agent, this.count(agent) > 0 ? -this.count(agent) : 1);
  }

  /** Add to the number of runs of an agent, or subtract from it. */
  add(agent: string, number: number): void {
    const count = Math.min(MAX_RUNS, this.count(agent) + number);
    if (count > 0) {
      this.#counts.set(agent, count);
    } else {
      this.#counts.delete(agent);
    }
  }
}
