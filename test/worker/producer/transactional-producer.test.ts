import { describe, expect, test } from 'vitest';
import { answeredRecordsMax } from '../../../worker/producer/buffer.ts';
import { transactionCodes as codes } from '../../../worker/producer/transaction-failures.ts';
import type { Fate } from './stub-cluster.ts';
import type { CoordinatorRequest } from './stub-coordinator.ts';
import { committed, lateArrives, record, spoil, start, startCluster, waitMs } from './transactional-stub.ts';

describe('a transaction', () => {
  test('holds what was appended together and what was attached to it', async () => {
    const stub = await startCluster(2, 4);
    let cursors = 0;
    const { producer, delivered } = start(stub.servers, () => [record(`cursor ${cursors++}`, 'cursor')]);
    await producer.claim();
    const seen: string[][] = [];
    stub.coordinator.onEnd = () => seen.push(committed(stub).sort());
    producer.append(record('raw 1', 'raw'));
    producer.append(record('trade 1', 'trade'));
    expect(await producer.flush(waitMs)).toBe(0);
    producer.append(record('raw 2', 'raw'));
    producer.append(record('trade 2', 'trade'));
    expect(await producer.flush(waitMs)).toBe(0);
    const first = ['cursor 0', 'raw 1', 'trade 1'];
    expect(seen).toEqual([first, ['cursor 0', 'cursor 1', 'raw 1', 'raw 2', 'trade 1', 'trade 2']]);
    expect(delivered).toEqual(['raw 1', 'trade 1', 'raw 2', 'trade 2']);
    expect(producer.buffered()).toEqual({ records: 0, bytes: 0 });
  });

  test('is committed without being asked for', async () => {
    const stub = await startCluster(1, 1);
    const { producer, delivered } = start(stub.servers);
    await producer.claim();
    producer.append(record('a'));
    await expect.poll(() => delivered).toEqual(['a']);
  });

  test('tells of life when nothing is appended', async () => {
    const stub = await startCluster(1, 1);
    let signs = 0;
    const { producer } = start(stub.servers, () => [record(`sign ${signs++}`)], 5);
    await producer.claim();
    await expect.poll(() => committed(stub).slice(0, 2)).toEqual(['sign 0', 'sign 1']);
  });

  test('is not begun when there is nothing to write', async () => {
    const stub = await startCluster(1, 1);
    const { producer } = start(stub.servers);
    await producer.claim();
    expect(await producer.flush(waitMs)).toBe(0);
    expect(stub.requests).toEqual([]);
  });

  test.each<[string, CoordinatorRequest | 'produce', Fate[]]>([
    ['the coordinator still completes the one before', 'add', [codes.concurrentTransactions, 51, 51]],
    ['the coordinator loads its state', 'add', [14, 14]],
    ['the coordinator has moved', 'commit', [16, 16]],
    ['the coordinator is not available', 'commit', [15]],
    ['partitions are added, and nobody says so', 'add', ['cut after']],
    ['a request to add partitions is lost', 'add', ['cut before']],
    ['it is committed, and nobody says so', 'commit', ['cut after']],
    ['it was not committed when the connection ended', 'commit', ['cut before', 'cut before']],
    ['records are written, and nobody says so', 'produce', ['cut after', 'cut after']],
    ['records are lost', 'produce', ['cut before']],
    ['the leader has moved', 'produce', [6, 6]],
    ['a sequence is lost', 'produce', [codes.outOfOrderSequence]],
    ['the leader has forgotten the producer', 'produce', [codes.unknownProducerId, codes.unknownProducerId]],
    ['the leader knows of no transaction', 'produce', [codes.invalidTransactionState]],
    ['the leader knows a greater epoch', 'produce', [codes.invalidProducerEpoch]],
    ['the coordinator wants it aborted', 'commit', [codes.transactionAbortable]],
    ['the coordinator has no such state', 'commit', [codes.invalidTransactionState]],
    ['the topic is not allowed for a while', 'add', [codes.topicAuthorizationFailed]],
  ])('is committed once when %s', async (_, kind, fates) => {
    const stub = await startCluster(2, 4);
    spoil(stub, kind, [...fates]);
    const { producer, delivered, failures, fencings } = start(stub.servers);
    await producer.claim();
    const keys = ['a', 'b', 'c', 'd', 'e'];
    for (const key of keys) producer.append(record(`${key} 1`, key));
    expect(await producer.flush(waitMs)).toBe(0);
    for (const key of keys) producer.append(record(`${key} 2`, key));
    expect(await producer.flush(waitMs)).toBe(0);
    expect(fencings).toEqual([]);
    expect(delivered).toEqual([...keys.map((key) => `${key} 1`), ...keys.map((key) => `${key} 2`)]);
    expect(committed(stub).sort()).toEqual([...delivered].sort());
    // The usual waits for the coordinator are no news.
    expect(failures.length > 0).toBe(!fates.includes(codes.concurrentTransactions));
  });

  test.each<[CoordinatorRequest, CoordinatorRequest[]]>([
    ['add', ['add', 'add', 'commit']],
    ['commit', ['add', 'commit', 'commit']],
  ])('comes after the next epoch when the answer to %s was lost', async (kind, first) => {
    const stub = await startCluster(1, 1);
    const { producer } = start(stub.servers);
    await producer.claim();
    const requests: CoordinatorRequest[] = [];
    const fates: Fate[] = ['cut after'];
    stub.coordinatorFate = (request) => {
      requests.push(request);
      return request === kind ? (fates.shift() ?? 'good') : 'good';
    };
    for (const value of ['a', 'b', 'c']) {
      producer.append(record(value));
      await producer.flush(waitMs);
    }
    expect(requests).toEqual([...first, 'abort', 'init', 'add', 'commit', 'add', 'commit']);
    expect(committed(stub)).toEqual(['a', 'b', 'c']);
  });

  test('is not committed by what an earlier connection still held', async () => {
    const stub = await startCluster(2, 2);
    const { producer } = start(stub.servers);
    await producer.claim();
    spoil(stub, 'commit', ['late']);
    producer.append(record('a'));
    await producer.flush(waitMs);
    // Between the writes to the one broker and to the other.
    spoil(stub, 'produce', ['good', () => lateArrives(stub)]);
    const seen: string[][] = [];
    stub.coordinator.onEnd = () => seen.push(committed(stub));
    const keys = ['a', 'b', 'c', 'd', 'e'];
    for (const key of keys) producer.append(record(key, key));
    await producer.flush(waitMs);
    expect(seen.map((values) => values.length)).toEqual([1 + keys.length]);
  });

  test('follows its coordinator to another broker', async () => {
    const stub = await startCluster(2, 2);
    const { producer } = start(stub.servers);
    await producer.claim();
    producer.append(record('a'));
    await producer.flush(waitMs);
    stub.coordinatorNode = 1;
    producer.append(record('b'));
    expect(await producer.flush(waitMs)).toBe(0);
    expect(committed(stub)).toEqual(['a', 'b']);
  });
});

describe('the buffer', () => {
  test('is full after so many records, and has room once they are committed', async () => {
    const stub = await startCluster(1, 1);
    const { producer } = start(stub.servers);
    await producer.claim();
    let taken = 1;
    while (producer.append(record('x'))) taken++;
    expect(taken).toBe(answeredRecordsMax + 1);
    await producer.room();
    expect(committed(stub).length).toBe(taken);
  });

  test('has room again once an answer is late', async () => {
    const stub = await startCluster(1, 1);
    stub.fate = () => 'answer nothing';
    const { producer } = start(stub.servers);
    await producer.claim();
    let taken = 1;
    while (producer.append(record('x'))) taken++;
    await producer.room();
    expect(producer.buffered().records).toBe(taken);
    expect(producer.append(record('x'))).toBe(true);
  });

  test('takes nothing before the claim', async () => {
    const { producer } = start(['127.0.0.1:1']);
    expect(producer.append(record('a'))).toBe(true);
    expect(producer.buffered()).toEqual({ records: 0, bytes: 0 });
    expect(await producer.flush(waitMs)).toBe(0);
  });

  test('says how many records are not committed in time', async () => {
    const stub = await startCluster(1, 1);
    stub.fate = () => 'answer nothing';
    const { producer } = start(stub.servers);
    await producer.claim();
    producer.append(record('a'));
    await expect.poll(() => stub.requests.length).toBe(1);
    producer.append(record('b'));
    expect(await producer.flush(1)).toBe(2);
  });
});
