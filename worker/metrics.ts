// The worker's metrics. docs/reference/worker-metrics.md lists them; a test holds page and code equal.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { WorkerConfig } from '../api/worker-config.ts';
import { symbolStates } from '../api/worker-status.ts';
import { missingOf } from './completeness.ts';
import type { Parsed } from './exchanges/exchange.ts';
import type { Producer, ProducerRecord } from './producer/producer.ts';
import type { Status } from './status.ts';
import type { Symbols } from './symbols.ts';

/** What is read at each scrape instead of being counted. */
export interface MetricSources {
  status: Status;
  symbols: Symbols;
  buffered: Producer['buffered'];
  /** What a standby keeps. */
  kept: () => { frames: number; bytes: number };
  /** How long the owner of this worker's shard has not been heard by this worker, milliseconds. */
  ownerSilenceMs: () => number;
}

export type TopicNames = Pick<WorkerConfig, 'topicRaw' | 'topicNormalized' | 'topicDeadLetter'>;

export type Metrics = ReturnType<typeof createMetrics>;

function registerGauges(registers: Registry[], { status, symbols, buffered }: MetricSources): void {
  new Gauge({
    name: 'k2_worker_streaming',
    help: '1 while trades are read and written, 0 while something keeps them from it.',
    registers,
    collect() {
      this.set(status.notStreaming() === null ? 1 : 0);
    },
  });
  new Gauge({
    name: 'k2_worker_symbols',
    help: 'Symbols by state of their subscription.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const state of symbolStates) this.set({ state }, status.symbolsIn(state).length);
    },
  });
  new Gauge({
    name: 'k2_worker_last_trade_timestamp_seconds',
    help: 'Exchange time of the newest trade written, by symbol.',
    labelNames: ['symbol'],
    registers,
    collect() {
      for (const { symbol, lastTradeTimeMs } of status.snapshot().symbols) {
        if (lastTradeTimeMs !== null) this.set({ symbol }, lastTradeTimeMs / 1000);
      }
    },
  });
  new Gauge({
    name: 'k2_worker_missing_trades',
    help: 'Trades known or presumed to be missing from the topics, by symbol: 0 when everything is there.',
    labelNames: ['symbol'],
    registers,
    collect() {
      for (const entry of symbols.entries()) {
        if (entry.continuity) this.set({ symbol: entry.listing.symbol }, missingOf(entry.continuity));
      }
    },
  });
  new Gauge({
    name: 'k2_worker_gaps',
    help: 'Gaps in the trade ids, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      const all = symbols.entries().flatMap(({ continuity }) => continuity ?? []);
      this.set(
        { state: 'open' },
        all.reduce((sum, one) => sum + one.gaps().length, 0),
      );
      this.set(
        { state: 'lost' },
        all.reduce((sum, one) => sum + one.lost().length, 0),
      );
    },
  });
  new Gauge({
    name: 'k2_worker_buffer_records',
    help: 'Records taken and not yet acknowledged by the broker.',
    registers,
    collect() {
      this.set(buffered().records);
    },
  });
  new Gauge({
    name: 'k2_worker_buffer_bytes',
    help: 'Memory of those records.',
    registers,
    collect() {
      this.set(buffered().bytes);
    },
  });
}

/** Of who writes the shard, and of the change from one to another. */
function createOwnershipMetrics(registers: Registry[], { status, kept, ownerSilenceMs }: MetricSources) {
  new Gauge({
    name: 'k2_worker_owner',
    help: '1 while this worker writes its shard of the feed, 0 while it is a standby.',
    registers,
    collect() {
      this.set(status.role() === 'owner' ? 1 : 0);
    },
  });
  new Gauge({
    name: 'k2_worker_owner_silence_seconds',
    help: 'Since a standby last heard of the owner; 0 for the owner itself, and where there is none.',
    registers,
    collect() {
      this.set(ownerSilenceMs() / 1000);
    },
  });
  new Gauge({
    name: 'k2_worker_standby_frames',
    help: 'Frames that a standby keeps for its take-over.',
    registers,
    collect() {
      this.set(kept().frames);
    },
  });
  new Gauge({
    name: 'k2_worker_standby_bytes',
    help: 'Memory of those frames.',
    registers,
    collect() {
      this.set(kept().bytes);
    },
  });
  return {
    takeOvers: new Counter({
      name: 'k2_worker_takeovers_total',
      help: 'Times that this worker became the owner, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    takeOver: new Histogram({
      name: 'k2_worker_takeover_seconds',
      help: 'From the decision to take over until this worker wrote.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    transaction: new Histogram({
      name: 'k2_worker_transaction_seconds',
      help: 'What a transaction took that was committed, with its repetitions.',
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
      registers,
    }),
    fenced: new Counter({
      name: 'k2_worker_fenced_total',
      help: 'Times that another worker took over from this one while it was the owner.',
      registers,
    }),
  };
}

/** Of trades and frames that were not simply written, and of what was done about it. */
function createTradeCounters(registers: Registry[]) {
  return {
    duplicates: new Counter({
      name: 'k2_worker_duplicate_trades_total',
      help: 'Trades that came again and were not written again.',
      registers,
    }),
    duplicateFrames: new Counter({
      name: 'k2_worker_duplicate_frames_total',
      help: 'Frames that held nothing but such trades.',
      registers,
    }),
    backfilled: new Counter({
      name: 'k2_worker_backfilled_trades_total',
      help: 'Trades that the stream did not bring and the REST interface did.',
      registers,
    }),
    backfillRequests: new Counter({
      name: 'k2_worker_backfill_requests_total',
      help: 'Requests for missing trades, by outcome.',
      labelNames: ['outcome'],
      registers,
    }),
    deadLetters: new Counter({
      name: 'k2_worker_dead_letters_total',
      help: 'Frames that could not be read.',
      registers,
    }),
  };
}

/** Of records that the broker acknowledged. */
function createDeliveryMetrics(registers: Registry[]) {
  const records = new Counter({
    name: 'k2_worker_records_total',
    help: 'Records acknowledged by the broker, by topic.',
    labelNames: ['topic'],
    registers,
  });
  const delivery = new Histogram({
    name: 'k2_worker_delivery_seconds',
    help: "From receiving the oldest frame of a batch to the broker's acknowledgement.",
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers,
  });
  return {
    /** @param nowMs milliseconds since 1970 */
    countDelivered(delivered: readonly ProducerRecord[], topics: TopicNames, nowMs: number): void {
      const names = { raw: topics.topicRaw, normalized: topics.topicNormalized, 'dead-letter': topics.topicDeadLetter };
      const counts = new Map<string, number>();
      for (const { topic } of delivered) counts.set(topic, (counts.get(topic) ?? 0) + 1);
      for (const [label, name] of Object.entries(names)) records.inc({ topic: label }, counts.get(name) ?? 0);
      const [oldest] = delivered;
      if (oldest) delivery.observe((nowMs - oldest.timeMs) / 1000);
    },
  };
}

/** One counter for each kind, looked up once: finding it by its label costs more than counting. */
function framesByKind(registers: Registry[]) {
  const frames = new Counter({
    name: 'k2_worker_frames_total',
    help: 'Frames received, by what they say.',
    labelNames: ['kind'],
    registers,
  });
  const kinds = ['trades', 'subscribed', 'rejected', 'heartbeat', 'notice', 'ignored', 'unreadable'] as const;
  type Kind = Parsed['kind'] & (typeof kinds)[number];
  return Object.fromEntries(kinds.map((kind) => [kind, frames.labels(kind)])) as Record<Kind, Counter.Internal>;
}

export function createMetrics(sources: MetricSources) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  registerGauges(registers, sources);
  return {
    registry,
    ...createOwnershipMetrics(registers, sources),
    frames: framesByKind(registers),
    ...createDeliveryMetrics(registers),
    disconnects: new Counter({
      name: 'k2_worker_disconnects_total',
      help: 'Connections that ended or were not made, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    replacements: new Counter({
      name: 'k2_worker_replacements_total',
      help: 'Connections that another one took over from before they ended, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    ...createTradeCounters(registers),
    pauses: new Counter({
      name: 'k2_worker_pauses_total',
      help: 'Times that reading paused because the buffer was full.',
      registers,
    }),
    retries: new Counter({
      name: 'k2_worker_produce_retries_total',
      help: 'Requests to the broker that failed and are repeated.',
      registers,
    }),
  };
}
