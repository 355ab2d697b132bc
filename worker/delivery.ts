// The two ways in which a feed's records come to its topics have this in common.
import type { Logger } from '../runtime/log.ts';
import type { Configured } from './configuration.ts';
import type { Feed } from './feed.ts';
import type { Metrics } from './metrics.ts';
import type { Producer, ProducerEvents } from './producer/producer.ts';
import type { Part, Status } from './status.ts';
import type { Symbols } from './symbols.ts';

export interface Delivery {
  producer: Producer & {
    /** @throws Error in one sentence: which topic does not exist, or why the broker does not answer */
    checkTopics(topics: string[]): Promise<void>;
  };
  /** Lets the feed write when it may and while it may, until the signal is aborted. */
  run(feed: Feed, signal: AbortSignal): Promise<void>;
  /**
   * Writes what is left once the feed has ended.
   * @returns how many records could not be written in so many milliseconds
   */
  drain(waitMsMax: number): Promise<number>;
  /** How long a standby has not heard of the owner, milliseconds; 0 for the owner, and where there is none. */
  ownerSilenceMs(): number;
  close(): Promise<void>;
}

export interface DeliveryOptions extends Configured {
  clientId: string;
  events: ProducerEvents;
  symbols: Symbols;
  status: Status;
  metrics: Metrics;
  log: Logger;
  /** Repeats the operation until it succeeds; the status says meanwhile what is wrong. */
  prepare: <T>(part: Part, operation: () => Promise<T>) => Promise<T>;
  report: (part: Part, problem: string | null) => void;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
}
