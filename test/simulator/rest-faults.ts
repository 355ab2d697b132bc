// Faults of REST that a test ordered, of any exchange: slow answers, and errors instead of answers.
import type { RestFault } from './control-types.ts';

export class RestFaults {
  #faults: RestFault[] = [];

  add(fault: RestFault): void {
    this.#faults.push({ ...fault });
  }

  clear(): void {
    this.#faults = [];
  }

  /** The first fault that fits one of the paths; one that has had its number of requests is over. */
  take(paths: string[]): RestFault | undefined {
    const fault = this.#faults.find(({ path }) => path === undefined || paths.includes(path));
    if (fault?.requests !== undefined) {
      fault.requests--;
      if (fault.requests <= 0) this.#faults = this.#faults.filter((other) => other !== fault);
    }
    return fault;
  }
}
