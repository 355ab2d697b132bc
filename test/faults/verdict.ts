// The end of a run: what the simulator made against what a new reader finds in the topics, and the auditor's own word.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { consumerCommand } from '../consumer/consumer.ts';
import { namespace } from '../e2e/operator.ts';
import { outcomeOf } from '../e2e/process.ts';
import type { Normalized } from '../e2e/trade-oracle.ts';
import {
  type Absence,
  type Comparison,
  compareTrades,
  faultOf,
  isExact,
  plainDecimal,
  type Trade,
} from './comparison.ts';
import type { Feed } from './feeds.ts';
import type { FollowedRecord } from './reader.ts';
import type { System } from './system.ts';
import { table } from './times.ts';

const root = join(import.meta.dirname, '../..');
/** A run of hours leaves millions of records, which the auditor reads at tens of thousands a second. */
const auditMsMax = 600_000;
/** Trades of each sort that a report names; all are counted. */
const namedMax = 5;

export interface Verdict {
  isExact: boolean;
  /** For a person: a table, and what is wrong by name. */
  text: string;
}

/** A fault that was done: when, and whose feeds it hit. */
export interface Done extends Absence {
  kind: string;
  topics: readonly string[];
  losesUnproven: boolean;
  /** Trades that came a second time. */
  doubled: number;
}

interface Line extends Comparison {
  feed: Feed;
  symbol: string;
}

/** Reads all topics from their beginning; the market must be halted and everything written. */
export async function compareAll(system: System, done: readonly Done[]): Promise<Verdict> {
  const lines: Line[] = [];
  for (const feed of system.feeds) {
    const written = await readTrades(system, feed);
    const made = new Map<string, Trade[]>(feed.symbols.map((symbol) => [symbol, []]));
    for await (const trade of system.simulator.made({ exchange: feed.exchange })) {
      const { id, price, quantity, takerSide, timeUs } = trade;
      const timeMs = Math.floor(timeUs / 1000);
      made.get(trade.symbol)?.push({ id, timeMs, text: textOf(price, quantity, takerSide.toUpperCase(), timeMs) });
    }
    const absences = feed.isProvable
      ? []
      : done.filter(({ topics, losesUnproven }) => losesUnproven && topics.includes(feed.topic));
    for (const symbol of feed.symbols)
      lines.push({ feed, symbol, ...compareTrades(made.get(symbol) ?? [], written.get(symbol) ?? [], absences) });
  }
  const rows = lines.map(({ feed, symbol, expected, lost, unproven, doubled, altered, invented }) => [
    `${feed.exchange} ${symbol}`,
    ...[expected, lost.length, doubled.length, altered.length, invented.length].map(String),
    feed.isProvable ? '' : String(unproven.length),
  ]);
  const header = ['made against written', 'expected', 'lost', 'doubled', 'altered', 'invented', 'sent to nobody'];
  const wrong = lines.filter((line) => !isExact(line)).flatMap((line) => wordsOf(line, done));
  return {
    isExact: wrong.length === 0 && lines.every(({ expected }) => expected > 0),
    text: [table([header, ...rows]), ...wrong].join('\n'),
  };
}

const textOf = (price: string, quantity: string, side: string, timeMs: number) =>
  `${plainDecimal(price)} ${plainDecimal(quantity)} ${side} ${timeMs}`;

/** By symbol. @throws Error with the client's words */
async function readTrades({ bed }: System, { topic }: Feed): Promise<Map<string, Trade[]>> {
  const words = consumerCommand(bed.consumerFolder, bed.bootstrapServers, topic, bed.schemaRegistryUrl);
  const child = spawn('java', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const bySymbol = new Map<string, Trade[]>();
  for await (const line of createInterface({ input: child.stdout })) {
    const { key, avro } = JSON.parse(line) as FollowedRecord;
    const { trade_id: id, price, quantity, side, exchange_timestamp: timeMs } = avro as Normalized;
    const trades = bySymbol.get(key ?? '') ?? [];
    bySymbol.set(key ?? '', trades);
    trades.push({ id, timeMs, text: textOf(price, quantity, side, timeMs) });
  }
  const code = await exit;
  if (code !== 0) throw new Error(`the reader of ${topic} ended with exit code ${code}`);
  return bySymbol;
}

/** The first trades of each sort, with the fault in whose time they were made. */
function wordsOf({ feed, symbol, lost, doubled, altered, invented }: Line, done: readonly Done[]): string[] {
  const during = (trade: Trade) => {
    const number = faultOf(trade, done);
    const at = new Date(trade.timeMs).toISOString();
    return `${at}, ${number === undefined ? 'between faults' : `fault ${number}`}`;
  };
  const some = <T>(sort: string, items: readonly T[], words: (item: T) => string) =>
    items.slice(0, namedMax).map((item) => `  ${sort}: ${feed.exchange} ${symbol} ${words(item)}`);
  return [
    ...some('lost', lost, (trade) => `${trade.id}, made at ${during(trade)}`),
    ...some('doubled', doubled, (trade) => `${trade.id}, made at ${during(trade)}`),
    ...some('altered', altered, ({ made, written }) => `${made.id}: made ${made.text}, written ${written.text}`),
    ...some('invented', invented, ({ id, text }) => `${id}: ${text}`),
  ];
}

/** k2-audit for each feed. */
export async function auditAll({ bed, feeds }: System): Promise<Verdict> {
  const texts: string[] = [];
  let isClean = true;
  for (const { name, exchange, topic } of feeds) {
    const options = ['--bootstrap-servers', bed.bootstrapServers, '--exchange', exchange];
    const topics = ['--topic-normalized', topic, '--topic-raw', `${topic}.raw`, '--feed', `${namespace}/${name}`];
    const words = [join(root, 'audit/main.ts'), ...options, ...topics, '--schema-registry', bed.schemaRegistryUrl];
    const schema = ['--schema', join(root, 'schemas/normalized-trade.avsc')];
    const { code, stdout, stderr } = await outcomeOf('node', [...words, ...schema], { timeoutMs: auditMsMax });
    isClean &&= code === 0;
    texts.push(`k2-audit of ${name}: exit code ${code}\n${code === 0 ? stdout : stdout + stderr}`);
  }
  return { isExact: isClean, text: texts.join('\n') };
}
