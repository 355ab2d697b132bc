// The order of an audit: bounds of the topics, records in step, cursors, what was written meanwhile, report.
import { setTimeout as sleep } from 'node:timers/promises';
import { Auditor } from './auditor.ts';
import type { Bounds, Broker } from './broker.ts';
import { Cursors } from './cursors.ts';
import { type Part, readInStep } from './in-step.ts';
import type { Side } from './pairing.ts';
import { header, type KafkaRecord } from './record-batch.ts';
import type { Report } from './report.ts';
import { TradeDecoder } from './trade-decoder.ts';
import type { Usage } from './usage.ts';

/**
 * How far the times of records that stand side by side may be apart, milliseconds: workers on two machines have two
 * clocks, and one that takes over writes what it read before.
 */
const disorderMsMax = 60_000;

/** For all partitions together, and twice: one chunk is looked at while the next one comes. */
const chunkBytesSum = 32 * 1024 * 1024;
const chunkBytesMin = 64 * 1024;
const chunkBytesMax = 256 * 1024;

/** A transaction that was under way at the end is over after this. */
const laterRoundsMax = 3;
const laterPauseMs = 1000;

const progressRecords = 1_000_000;

type Source = 'raw' | 'normalized' | 'dead letters';

export interface Outcome {
  report: Report;
  /** What a reader has to know of what was compared, in sentences. */
  notes: string[];
  /** Of all topics. */
  recordsRead: number;
}

/** @throws Error one sentence: what could not be read */
export async function audit(
  usage: Usage,
  broker: Broker,
  onProgress: (records: number, all: number) => void,
): Promise<Outcome> {
  const run = new Run(usage, broker, onProgress);
  return run.outcome();
}

class Run {
  readonly #usage: Usage;
  readonly #broker: Broker;
  readonly #onProgress: (records: number, all: number) => void;
  readonly #decoder: TradeDecoder;
  /** Each once, though the topics are looked at again. */
  readonly #notes = new Set<string>();
  #recordsRead = 0;
  #recordsAll = 0;

  constructor(usage: Usage, broker: Broker, onProgress: (records: number, all: number) => void) {
    this.#usage = usage;
    this.#broker = broker;
    this.#onProgress = onProgress;
    this.#decoder = new TradeDecoder(usage.schema, usage.schemaRegistryUrl, usage.registryAccess);
  }

  async outcome(): Promise<Outcome> {
    const { exchange, reading, fromMs, untilMs, toldMax } = this.#usage;
    const parts = await this.#parts();
    const begins = { raw: await this.#begins(parts, 'raw'), normalized: await this.#begins(parts, 'normalized') };
    const bothBeginMs = Math.max(Math.min(...begins.raw), Math.min(...begins.normalized));
    const startMs = Math.max(fromMs ?? Number.NEGATIVE_INFINITY, bothBeginMs);
    const start = startMs === Number.NEGATIVE_INFINITY ? null : startMs;
    if (start !== null && start !== fromMs) {
      this.#notes.add(`audited from ${timeText(start)} on: retention has removed records from before`);
    }
    const auditor = new Auditor({ exchange, reading, fromMs: start, untilMs, toldMax, begins });
    await this.#read(auditor, start === null ? parts : await this.#from(parts, start));
    auditor.end();
    const cursors = await this.#settle(auditor, parts);
    return { report: auditor.report(cursors), notes: [...this.#notes], recordsRead: this.#recordsRead };
  }

  /** Everything that is committed now. */
  async #parts(): Promise<Part<Source>[]> {
    const { topicDeadLetter, broker } = this.#usage;
    const parts: Part<Source>[] = [];
    for (const source of ['raw', 'normalized', 'dead letters'] as const) {
      const topic = this.#topic(source);
      const bounds = await this.#broker.bounds(topic);
      if (bounds !== null) parts.push(...bounds.map((one) => ({ source, ...one })));
      else if (source === 'dead letters')
        this.#notes.add(`dead letters: none, for there is no topic ${topicDeadLetter}`);
      else
        throw new Error(
          `topic ${topic} does not exist on broker ${broker.bootstrapServers.join(',')}; name it by --topic-${source}`,
        );
    }
    return parts;
  }

  #topic(source: Source): string {
    const { topicRaw, topicNormalized, topicDeadLetter } = this.#usage;
    return { raw: topicRaw, normalized: topicNormalized, 'dead letters': topicDeadLetter }[source];
  }

  /** By partition, see Begins. */
  #begins(parts: readonly Part<Source>[], source: Side): Promise<number[]> {
    const own = parts.filter((part) => part.source === source);
    return Promise.all(
      own.map(async (part) => {
        if (part.startOffset === 0) return Number.NEGATIVE_INFINITY;
        const timeMs = await this.#firstTime(part);
        return timeMs === null ? Number.POSITIVE_INFINITY : timeMs + disorderMsMax;
      }),
    );
  }

  async #firstTime({ source, partition, startOffset, endOffset }: Part<Source>): Promise<number | null> {
    for (let offset = startOffset; offset < endOffset; ) {
      const { records, nextOffset } = await this.#broker.read(
        this.#topic(source),
        partition,
        offset,
        endOffset,
        chunkBytesMin,
      );
      const [first] = records;
      if (first !== undefined) return first.timeMs;
      offset = nextOffset;
    }
    return null;
  }

  #from(parts: readonly Part<Source>[], timeMs: number): Promise<Part<Source>[]> {
    return Promise.all(
      parts.map(async (part) => {
        if (timeMs === Number.POSITIVE_INFINITY) return { ...part, startOffset: part.endOffset };
        const offset = await this.#broker.offsetAt(this.#topic(part.source), part.partition, timeMs);
        return { ...part, startOffset: Math.max(part.startOffset, offset ?? part.endOffset) };
      }),
    );
  }

  async #read(auditor: Auditor, parts: readonly Part<Source>[]): Promise<void> {
    const { untilMs } = this.#usage;
    this.#recordsAll += parts.reduce((sum, part) => sum + Math.max(0, part.endOffset - part.startOffset), 0);
    const bytesMax = Math.min(chunkBytesMax, Math.max(chunkBytesMin, Math.floor(chunkBytesSum / parts.length)));
    await readInStep({
      parts,
      read: ({ source, partition, endOffset }, offset) =>
        this.#broker.read(this.#topic(source), partition, offset, endOffset, bytesMax),
      lastMs: untilMs === null ? Number.POSITIVE_INFINITY : untilMs + disorderMsMax,
      onRecord: (part, record) => {
        if (++this.#recordsRead % progressRecords === 0) this.#onProgress(this.#recordsRead, this.#recordsAll);
        const learning = part.source === 'normalized' ? this.#decoder.learn(record.value) : undefined;
        if (learning !== undefined) return learning.then(() => this.#show(auditor, part, record));
        this.#show(auditor, part, record);
        return undefined;
      },
    });
  }

  #show(auditor: Auditor, { source, partition }: Part<Source>, record: KafkaRecord): void {
    const { offset, timeMs, value } = record;
    const place = { topic: this.#topic(source), partition, offset };
    const read = { ...place, timeMs, key: record.key?.toString() ?? null, source: header(record, 'k2-source') };
    if (source === 'raw') {
      const receivedUs = header(record, 'k2-received-us');
      auditor.raw({ ...read, value, receivedUs, unreadable: header(record, 'k2-unreadable') });
    } else if (source === 'normalized') {
      auditor.normalized({ ...read, value: this.#decoder.decode(value) });
    } else {
      auditor.deadLetter();
    }
  }

  /**
   * Reads on as long as what was written after the end may explain something.
   * @returns null: there are no cursors to compare
   */
  async #settle(auditor: Auditor, parts: readonly Part<Source>[]): Promise<Cursors | null> {
    let done = parts;
    for (let round = 1; ; round++) {
      // First the cursors, then the trades, which are then the newer ones.
      const cursors = await this.#cursors();
      const ends = await this.#parts();
      const fresh = ends.map((part) => ({ ...part, startOffset: endOf(done, part) }));
      if (this.#usage.untilMs === null) await this.#read(auditor, fresh);
      done = ends;
      if (auditor.isSettled(cursors) || round === laterRoundsMax || this.#usage.untilMs !== null) return cursors;
      await sleep(laterPauseMs);
    }
  }

  async #cursors(): Promise<Cursors | null> {
    const { topicCursors: topic, untilMs, feed, reading } = this.#usage;
    const skipped = (why: string) => {
      this.#notes.add(`cursors: skipped, for ${why}`);
      return null;
    };
    if (reading.whyNoProof !== null) return skipped('ids prove nothing');
    if (untilMs !== null) return skipped('they tell of the present, not of --until');
    const bounds = await this.#broker.bounds(topic);
    if (bounds === null) return skipped(`there is no topic ${topic}`);
    const cursors = new Cursors(feed);
    for (const part of bounds) await this.#foldCursors(cursors, topic, part);
    if (cursors.isEmpty()) return skipped(`topic ${topic} holds none${feed === null ? '' : ` of ${feed}`}`);
    return cursors;
  }

  async #foldCursors(cursors: Cursors, topic: string, { partition, startOffset, endOffset }: Bounds): Promise<void> {
    for (let offset = startOffset; offset < endOffset; ) {
      const { records, nextOffset } = await this.#broker.read(topic, partition, offset, endOffset, chunkBytesMax);
      for (const { key, value } of records) cursors.take(String(key), value?.toString() ?? null);
      offset = nextOffset;
    }
  }
}

const endOf = (parts: readonly Part<Source>[], { source, partition }: Part<Source>) =>
  parts.find((part) => part.source === source && part.partition === partition)?.endOffset ?? 0;

const timeText = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : 'now');
