import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codes, PartitionQueue } from '../../../worker/producer/partition-queue.ts';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { ModelPartition } from './model-partition.ts';

const bytesMax = 500;
const oneRecordBytesMax = 100;

const record = (value: string): ProducerRecord => {
  return { topic: 't', key: 'k', value: Buffer.from(value), headers: [], timeMs: 0, exchangeTimeMs: null };
};

const writerOf = (producerId: bigint) => ({ producerId, epoch: 0, isTransactional: false });

const notLeader = 6;
const timedOut = 7;
const unknownServerError = -1;

/** What may happen to one request. `late`: its bytes reach the broker after all, when others have come before. */
const fates = [
  'request lost',
  'answer lost',
  'late',
  'refused once',
  'failed after append',
  'epochs raised',
  'too large',
  'not in order',
] as const;
type Fate = (typeof fates)[number] | 'good';

/** A queue with a producer around it, and the partition it writes to. */
class Run {
  readonly partition = new ModelPartition();
  readonly queue = new PartitionQueue('t', 0);
  readonly delivered: string[] = [];
  #late: Buffer[] = [];
  #writer = writerOf(1n);
  /** Whether the broker already holds the batch under way. */
  #isInLog = false;

  request(fate: Fate): void {
    const bytes = Buffer.from(this.queue.send(this.#writer, bytesMax));
    if (fate === 'request lost') return;
    if (fate === 'late') {
      this.#late.push(bytes);
      return;
    }
    if (fate === 'refused once') {
      this.#settle(notLeader);
      return;
    }
    // A broker finds a repeat before it finds anything wrong with it.
    if (!this.#isInLog) {
      if (fate === 'too large') this.partition.bytesMax = Math.max(bytes.length - 1, oneRecordBytesMax);
      if (fate === 'epochs raised') this.partition.raiseEpochs();
      if (fate === 'not in order') this.partition.mistakesSequence(bytes);
    }
    const code = this.partition.append(bytes);
    this.#isInLog = code === codes.none;
    if (fate === 'answer lost') return;
    this.#settle(fate === 'failed after append' && code === codes.none ? timedOut : code);
  }

  /** What an earlier connection still held arrives. */
  arriveLate(): void {
    for (const bytes of this.#late.splice(0)) {
      const before = this.partition.log.length;
      this.partition.append(bytes);
      if (this.partition.log.length > before) this.#isInLog = true;
    }
  }

  #settle(code: number): void {
    const { delivered, isProducerIdRefused } = this.queue.settle(code);
    if (isProducerIdRefused) this.#writer = writerOf(this.#writer.producerId + 1n);
    if (delivered.length > 0) this.#isInLog = false;
    this.delivered.push(...delivered.map(({ value }) => String(value)));
  }
}

describe('a queue of one partition', () => {
  test('delivers each record once and in order, whatever happens to its requests', () => {
    const fate = fc.oneof(fc.constantFrom(...fates), fc.constant('good' as const));
    const step = fc.record({ records: fc.nat(12), fate, arriveLate: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const run = new Run();
        const added: string[] = [];
        for (const { records, fate, arriveLate } of steps) {
          for (let count = 0; count < records; count++) {
            added.push(`value ${added.length}`);
            run.queue.add(record(`value ${added.length - 1}`));
          }
          if (arriveLate) run.arriveLate();
          if (!run.queue.isEmpty()) run.request(fate);
        }
        while (!run.queue.isEmpty()) run.request('good');
        run.arriveLate();
        expect(run.partition.log).toEqual(added);
        expect(run.delivered).toEqual(added);
      }),
      { numRuns: 2000 },
    );
  });

  test('goes on, with all that it has not delivered, when the broker has lost what it had acknowledged', () => {
    const run = new Run();
    for (const value of ['a', 'b', 'c']) {
      run.queue.add(record(value));
      run.request('good');
    }
    run.partition.losesLast();
    run.queue.add(record('d'));
    while (!run.queue.isEmpty()) run.request('good');
    expect(run.partition.log).toEqual(['a', 'b', 'd']);
    expect(run.delivered).toEqual(['a', 'b', 'c', 'd']);
  });

  test.each([
    ['a repeat that the broker remembers no more', codes.duplicateSequence],
    ['success', codes.none],
  ])('%s is delivered', (_, code) => {
    const queue = new PartitionQueue('t', 0);
    queue.add(record('a'));
    queue.send(writerOf(1n), bytesMax);
    expect(queue.settle(code).delivered.length).toBe(1);
    expect(queue.isEmpty()).toBe(true);
  });

  test.each([notLeader, timedOut, unknownServerError, codes.messageTooLarge])(
    'after error %i one record is sent again as it was',
    (code) => {
      const queue = new PartitionQueue('t', 0);
      queue.add(record('a'));
      const first = Buffer.from(queue.send(writerOf(1n), bytesMax));
      expect(queue.settle(code)).toEqual({ delivered: [], isProducerIdRefused: false });
      queue.add(record('b'));
      expect(queue.send(writerOf(2n), bytesMax)).toEqual(first);
    },
  );

  test('a record larger than the limit goes alone', () => {
    const queue = new PartitionQueue('t', 0);
    queue.add(record('x'.repeat(2 * bytesMax)));
    queue.add(record('b'));
    queue.send(writerOf(1n), bytesMax);
    expect(queue.settle(codes.none).delivered.length).toBe(1);
    expect(queue.isEmpty()).toBe(false);
  });

  test('a producer id whose epochs are used up is refused', () => {
    const queue = new PartitionQueue('t', 0);
    queue.add(record('a'));
    let bumps = 0;
    let isRefused = false;
    while (!isRefused) {
      queue.send(writerOf(1n), bytesMax);
      isRefused = queue.settle(codes.outOfOrderSequence).isProducerIdRefused;
      bumps++;
    }
    expect(bumps).toBe(2 ** 15);
  });

  test('an answer without a request is a mistake', () => {
    expect(() => new PartitionQueue('t', 0).settle(codes.none)).toThrow('an answer without a batch under way');
  });
});
