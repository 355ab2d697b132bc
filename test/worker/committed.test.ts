import type { RecordsBatch } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import { CommittedFilter } from '../../worker/committed.ts';

const transactional = 0x10;
const control = 0x20;

function batch(firstOffset: number, producerId: number, attributes: number, keys: (Buffer | string)[]): RecordsBatch {
  const records = keys.map((key, offsetDelta) => {
    return {
      length: 0,
      attributes: 0,
      timestampDelta: 0n,
      offsetDelta,
      key: Buffer.from(key),
      value: null,
      headers: [],
    };
  });
  return {
    firstOffset: BigInt(firstOffset),
    length: 0,
    partitionLeaderEpoch: 0,
    magic: 2,
    crc: 0,
    attributes,
    lastOffsetDelta: Math.max(0, keys.length - 1),
    firstTimestamp: 0n,
    maxTimestamp: 0n,
    producerId: BigInt(producerId),
    producerEpoch: 0,
    firstSequence: 0,
    records,
  };
}
const data = (offset: number, producerId: number, ...keys: string[]) => batch(offset, producerId, transactional, keys);
const plain = (offset: number, ...keys: string[]) => batch(offset, -1, 0, keys);
const marker = (offset: number, producerId: number, type: number) => {
  return batch(offset, producerId, transactional | control, [Buffer.from([0, 0, 0, type])]);
};
const abort = (offset: number, producerId: number) => marker(offset, producerId, 0);
const commit = (offset: number, producerId: number) => marker(offset, producerId, 1);

/** What each batch brings, as text. */
function brought(batches: RecordsBatch[], from = 0): string[] {
  const filter = new CommittedFilter();
  return batches.map((one) =>
    filter
      .take(one, BigInt(from))
      .map(({ offset, key }) => `${offset}:${key}`)
      .join(' '),
  );
}

describe('of a partition are read', () => {
  test('records outside of transactions, at once', () => {
    expect(brought([plain(0, 'a', 'b'), plain(2, 'c')])).toEqual(['0:a 1:b', '2:c']);
  });

  test('records of a transaction, all of them, where its commit stands', () => {
    expect(brought([data(0, 7, 'a', 'b'), data(2, 7, 'c'), commit(3, 7)])).toEqual(['', '', '0:a 1:b 2:c']);
  });

  test('none of one that was aborted, also several times by one producer between commits', () => {
    const log = [data(0, 7, 'a'), abort(1, 7), data(2, 7, 'b'), commit(3, 7), data(4, 7, 'c'), abort(5, 7)];
    expect(brought([...log, data(6, 7, 'd'), abort(7, 7), data(8, 7, 'e'), commit(9, 7)])).toEqual([
      ...['', '', '', '2:b', '', ''],
      ...['', '', '', '8:e'],
    ]);
  });

  test('none of one whose marker has not come, and that keeps nothing of others back', () => {
    expect(brought([data(0, 7, 'open'), data(1, 8, 'a'), commit(2, 8), plain(3, 'b')])).toEqual(['', '', '1:a', '3:b']);
  });

  test('records of transactions that interleave, each where its own marker stands', () => {
    const log = [data(0, 7, 'a'), data(1, 8, 'b'), data(2, 7, 'c'), commit(3, 8), abort(4, 7)];
    expect(brought(log)).toEqual(['', '', '', '1:b', '']);
  });

  test('only those from an offset on, where a batch begins before it', () => {
    expect(brought([plain(0, 'a', 'b', 'c'), data(3, 7, 'd'), commit(4, 7)], 2)).toEqual(['2:c', '', '3:d']);
  });

  test('nothing for a marker whose transaction began before the first batch, or which compaction has emptied', () => {
    const empty = batch(5, 7, transactional | control, []);
    expect(brought([commit(0, 7), data(1, 7, 'a'), empty, commit(6, 7)])).toEqual(['', '', '', '1:a']);
  });
});
