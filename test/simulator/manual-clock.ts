// A clock that moves when a test says so.
import type { Clock } from './clock.ts';

interface Timer {
  dueUs: number;
  /** Null: once. */
  everyUs: number | null;
  call: () => void;
}

export class ManualClock implements Clock {
  #nowUs: number;
  #timers = new Set<Timer>();

  /** @param nowMs where it starts, milliseconds since 1970 */
  constructor(nowMs = 1_772_000_000_000) {
    this.#nowUs = nowMs * 1000;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  after(ms: number, call: () => void): () => void {
    return this.#add({ dueUs: this.#nowUs + ms * 1000, everyUs: null, call });
  }

  every(ms: number, call: () => void): () => void {
    return this.#add({ dueUs: this.#nowUs + ms * 1000, everyUs: ms * 1000, call });
  }

  /** Moves on in one step, as for a process that was stopped: a timer that is due several times calls once. */
  advance(ms: number): void {
    this.#nowUs += ms * 1000;
    const due = [...this.#timers].filter((timer) => timer.dueUs <= this.#nowUs).sort((a, b) => a.dueUs - b.dueUs);
    for (const timer of due) {
      if (!this.#timers.has(timer)) continue;
      if (timer.everyUs === null) this.#timers.delete(timer);
      else timer.dueUs = this.#nowUs + timer.everyUs;
      timer.call();
    }
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
