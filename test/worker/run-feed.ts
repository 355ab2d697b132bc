// Runs a feed in this process against whatever exchange a test has, writing into memory.
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { pino } from 'pino';
import { continuityStatus } from '../../worker/completeness.ts';
import type { Exchange } from '../../worker/exchanges/exchange.ts';
import { Feed, type FeedOptions } from '../../worker/feed.ts';
import { createMetrics } from '../../worker/metrics.ts';
import { type Received, Records } from '../../worker/records.ts';
import { StandbyBuffer } from '../../worker/standby-buffer.ts';
import { Status } from '../../worker/status.ts';
import { Symbols, type Written } from '../../worker/symbols.ts';
import { createMemoryProducer, type MemoryProducer } from './memory-producer.ts';

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));

export interface RunOptions extends Partial<FeedOptions> {
  exchangeId: string;
  exchange: Exchange;
  webSocketUrl: string;
  restUrl: string;
  names: string[];
  producer?: MemoryProducer;
  /** What is written already; null: another worker is the owner. */
  written?: Written | null;
}

export type RunningFeed = ReturnType<typeof runFeed>;

export function runFeed(options: RunOptions, signal: AbortSignal) {
  const { exchangeId, exchange, names, producer = createMemoryProducer(), written = new Map() } = options;
  const monotonicMs = () => performance.now();
  const symbols = new Symbols(exchange);
  const entryOf = (name: string) => symbols.entries().find(({ listing }) => listing.symbol === name);
  const topics = { topicRaw: 'raw', topicNormalized: 'normalized' };
  const status = new Status({
    exchange: exchangeId,
    symbols: names,
    ...topics,
    continuityOf: (name) => continuityStatus(entryOf(name), exchange.continuity),
    monotonicMs,
  });
  const kept = new StandbyBuffer<Received>();
  const ownerSilenceMs = () => 0;
  const metrics = createMetrics({
    status,
    symbols,
    buffered: producer.buffered,
    kept: () => kept.size(),
    ownerSilenceMs,
  });
  const feed = new Feed({
    symbols,
    kept,
    hasDeadLetters: () => true,
    records: new Records({ exchange: exchangeId, ...topics, schema, schemaId: 1 }),
    status,
    metrics,
    log: pino({ level: 'silent' }),
    nowUs: () => Date.now() * 1000,
    monotonicMs,
    random: () => 0,
    ...options,
    producer,
  });
  if (written !== null) {
    status.setOwner();
    feed.takeOver(written);
  }
  const rawTexts = () => producer.appended.filter(({ topic }) => topic === 'raw').map(({ value }) => String(value));
  /** Symbol and id of every normalized record, in order. */
  const writtenTrades = () =>
    producer.appended
      .filter(({ topic }) => topic === 'normalized')
      .map(({ value }) => type.fromBuffer(value.subarray(5)) as { symbol: string; trade_id: string })
      .map(({ symbol, trade_id }) => `${symbol} ${trade_id}`);
  return { feed, ended: feed.run(signal), producer, symbols, status, metrics, kept, rawTexts, written: writtenTrades };
}
