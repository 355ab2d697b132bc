// Keeps all symbols of the feed connected: over as many links as the exchange's bound of symbols per connection needs,
// within its budget of connection attempts.
import type { Logger } from '../runtime/log.ts';
import { Budget } from './budget.ts';
import type { Exchange } from './exchanges/exchange.ts';
import { type Connection, Link, type LinkOptions } from './link.ts';
import type { Metrics } from './metrics.ts';

export interface LinksOptions
  extends Pick<LinkOptions, 'webSocketUrl' | 'room' | 'onInterrupted' | 'monotonicMs' | 'random'> {
  exchange: Exchange;
  onFrame: (frame: Buffer, connection: Connection) => void;
  /** Why some symbols have no connection, one sentence; null: each has one. */
  onProblem: (problem: string | null) => void;
  metrics: Metrics;
  log: Logger;
}

export class Links {
  readonly #options: LinksOptions;
  readonly #connects: Budget;
  /** With why each has no connection, null: it has one. */
  readonly #links = new Map<Link, string | null>();
  readonly #running: Promise<void>[] = [];

  constructor(options: LinksOptions) {
    this.#options = options;
    const { count, windowMs } = options.exchange.limits.connects;
    // Others behind the same address connect, too.
    this.#connects = new Budget({ count: Math.max(1, Math.floor(count / 2)), windowMs });
  }

  /** Connects and subscribes the symbols, as many over each link as the exchange allows. Ends with the signal. */
  add(names: string[], signal: AbortSignal): void {
    const { symbolsPerConnection } = this.#options.exchange.limits;
    for (let rest = names; rest.length > 0; ) {
      let link = [...this.#links.keys()].find((candidate) => candidate.symbols().length < symbolsPerConnection);
      const isNew = link === undefined;
      link ??= this.#create();
      const part = rest.slice(0, symbolsPerConnection - link.symbols().length);
      rest = rest.slice(part.length);
      this.#running.push(link.add(part));
      if (isNew) this.#running.push(link.run(signal));
    }
  }

  /** Has a new connection take over from each present one. */
  replace(): void {
    for (const link of this.#links.keys()) link.replace('requested');
  }

  /** Has a new connection take over from the one that does not bring a symbol's trades. */
  replaceSilent(symbol: string): void {
    for (const link of this.#links.keys()) if (link.symbols().includes(symbol)) link.replace('silent');
  }

  /** Ends the present connections; the next ones wait for room. */
  shed(why: string): void {
    for (const link of this.#links.keys()) link.end({ reason: 'memory', why });
  }

  /** Resolves once all that was added has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }

  #create(): Link {
    const link = new Link({
      ...this.#options,
      connects: this.#connects,
      onProblem: (problem) => {
        this.#links.set(link, problem);
        this.#options.onProblem([...this.#links.values()].find((one) => one !== null) ?? null);
      },
    });
    this.#links.set(link, 'not connected yet');
    return link;
  }
}
