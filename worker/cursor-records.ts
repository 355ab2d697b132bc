// The records of the cursor topic: who writes a shard of a feed, and what is written of a symbol. Pure: to records, and
// back, folded one by one into a view of one feed. docs/reference/cursor-topic.md shows them.
import { z } from 'zod';
import type { Cursor } from './continuity.ts';
import type { ProducerRecord } from './producer/producer.ts';

/** What the writer of a shard says of itself: as its claim, as its sign of life, and when it releases the shard. */
export interface OwnerRecord {
  instance: string;
  state: 'owning' | 'released';
  symbols: readonly string[];
  /** Other shards that can write no more, as of the offset of their owner record: their transactional id was taken. */
  fenced: ReadonlyMap<number, bigint>;
}

export interface Owner extends OwnerRecord {
  offset: bigint;
  /** The view's clock when it was read. */
  heardMs: number;
}

/** What the cursor topic holds of one feed. */
export interface View {
  /** By shard. */
  owners: ReadonlyMap<number, Owner>;
  /** By symbol, as it is asked for. */
  cursors: ReadonlyMap<string, Cursor>;
  /** Milliseconds in which the topic was readable and read to its end: what silence is counted in. */
  clockMs: number;
}

/** Where the records of a feed stand. */
export interface CursorPlace {
  topic: string;
  /** `<namespace>/<name>` */
  feed: string;
}

/** Of the reason for a loss: a record with all the losses and gaps that can be stays under half of a broker's 1 MiB. */
const whyLengthMax = 200;

const id = z
  .string()
  .regex(/^\d{1,38}$/, 'is not a number in quotes')
  .transform(BigInt);
const timeMs = z.int('is not a number of milliseconds');
const count = z.int('is not a count').min(0, 'is not a count');
const cursorSchema = z.object({
  lastId: id,
  timeMs,
  gaps: z.array(z.object({ firstId: id, lastId: id, afterTimeMs: timeMs })),
  lost: z
    .array(z.object({ firstId: id, lastId: id, missing: id, why: z.string(), timeMs: timeMs.optional() }))
    .default([]),
  resetTimeMs: timeMs.nullable().default(null),
  counts: z.object({ written: count, repaired: count, duplicates: count, sinceMs: timeMs }).optional(),
});
const ownerSchema = z.object({
  instance: z.string(),
  state: z.enum(['owning', 'released'], 'is neither owning nor released'),
  symbols: z.array(z.string()),
  fenced: z
    .record(z.string(), id)
    .default({})
    .transform((byShard) => new Map(Object.entries(byShard).map(([shard, offset]) => [Number(shard), offset]))),
});

/** @param timeMs of the record, milliseconds since 1970 */
export function cursorRecord(place: CursorPlace, symbol: string, cursor: Cursor, timeMs: number): ProducerRecord {
  const { lastId, timeMs: lastTimeMs, gaps, lost, resetTimeMs, counts } = cursor;
  const value = {
    lastId,
    timeMs: lastTimeMs,
    gaps,
    ...(lost.length > 0 && { lost: lost.map((one) => ({ ...one, why: one.why.slice(0, whyLengthMax) })) }),
    ...(resetTimeMs !== null && { resetTimeMs }),
    ...(counts && { counts }),
  };
  return record(place, `cursor ${place.feed} ${symbol}`, value, timeMs);
}

/** @param timeMs of the record, milliseconds since 1970 */
export function ownerRecord(place: CursorPlace, shard: number, owner: OwnerRecord, timeMs: number): ProducerRecord {
  const { instance, state, symbols, fenced } = owner;
  const value = { instance, state, symbols, ...(fenced.size > 0 && { fenced: Object.fromEntries(fenced) }) };
  return record(place, `owner ${place.feed} ${shard}`, value, timeMs);
}

function record({ topic }: CursorPlace, key: string, value: object, timeMs: number): ProducerRecord {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
  return { topic, key, value: Buffer.from(text), headers: [], timeMs, exchangeTimeMs: null };
}

/** One record as it stands in the topic. Without a value: the key is to be forgotten. */
export interface LogRecord {
  offset: bigint;
  key: Buffer | null;
  value: Buffer | null;
}

export type Folded = { kind: 'owner' | 'cursor' | 'other' } | { kind: 'unreadable'; why: string };

/** The records of one feed folded, in the topic's order. */
export class FeedView implements View {
  readonly #feed: string;
  readonly owners = new Map<number, Owner>();
  readonly cursors = new Map<string, Cursor>();
  clockMs: number;
  /** Shards whose owner was read since the clock last moved. */
  readonly #heard = new Set<number>();

  constructor(feed: string, clockMs: number) {
    this.#feed = feed;
    this.clockMs = clockMs;
  }

  /** What cannot be read changes nothing. */
  fold({ offset, key, value }: LogRecord): Folded {
    const [, kind, feed, name = ''] = /^(cursor|owner) (\S+) (\S+)$/.exec(String(key)) ?? [];
    if (feed !== this.#feed || (kind !== 'cursor' && kind !== 'owner')) return { kind: 'other' };
    try {
      if (kind === 'cursor') put(this.cursors, name, value && cursorSchema.parse(json(value)));
      else put(this.owners, this.#hear(shardOf(name)), value && this.#ownerOf(value, offset));
      return { kind };
    } catch (error) {
      return { kind: 'unreadable', why: `'${key}' at offset ${offset} is skipped: ${problemOf(error)}` };
    }
  }

  /** The clock moves on after what was read meanwhile is folded: that was heard now, not when it moved before. */
  tick(clockMs: number): void {
    this.clockMs = clockMs;
    for (const shard of this.#heard) {
      const owner = this.owners.get(shard);
      if (owner) owner.heardMs = clockMs;
    }
    this.#heard.clear();
  }

  #hear(shard: number): number {
    this.#heard.add(shard);
    return shard;
  }

  #ownerOf(value: Buffer, offset: bigint): Owner {
    return { ...ownerSchema.parse(json(value)), offset, heardMs: this.clockMs };
  }
}

function put<K, V>(map: Map<K, V>, key: K, value: V | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

function shardOf(name: string): number {
  if (!/^\d{1,3}$/.test(name)) throw new Error(`'${name}' is not a shard's number`);
  return Number(name);
}

const json = (value: Buffer): unknown => JSON.parse(value.toString());

function problemOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'its value is not JSON';
  if (!(error instanceof z.ZodError)) return (error as Error).message;
  const [issue] = error.issues;
  return `${issue?.path.join('.')} ${issue?.message}`;
}
