import { describe, expect, test } from 'vitest';
import { transactionCodes as codes } from '../../../worker/producer/transaction-failures.ts';
import type { Fate, StubCluster } from './stub-cluster.ts';
import type { CoordinatorRequest } from './stub-coordinator.ts';
import { committed, id, record, spoil, start, startCluster, waitMs } from './transactional-stub.ts';

describe('a producer that is fenced', () => {
  const takeOver = (stub: StubCluster): Fate => {
    stub.coordinator.takeOver(id);
    return 'good';
  };
  const timeOut = (stub: StubCluster): Fate => {
    stub.coordinator.timeOut();
    return 'good';
  };

  test.each<[string, CoordinatorRequest | 'produce', (stub: StubCluster) => Fate]>([
    ['another takes the id before partitions are added', 'add', takeOver],
    ['another takes the id before the records are written', 'produce', takeOver],
    ['another takes the id before the commit', 'commit', takeOver],
    ['the transaction is not ended in time, before the records are written', 'produce', timeOut],
    ['the transaction is not ended in time, before the commit', 'commit', timeOut],
  ])('says so once and drops what is not committed when %s', async (_, kind, happen) => {
    const stub = await startCluster(1, 2);
    const { producer, fencings, delivered } = start(stub.servers);
    await producer.claim();
    producer.append(record('a'));
    await producer.flush(waitMs);
    spoil(stub, kind, [() => happen(stub)]);
    producer.append(record('b'));
    expect(await producer.flush(waitMs)).toBe(0);
    expect(fencings).toHaveLength(1);
    expect(fencings[0]).toMatch(/PRODUCER_FENCED|INVALID_PRODUCER_EPOCH/);
    expect(producer.append(record('c'))).toBe(true);
    expect(producer.buffered()).toEqual({ records: 0, bytes: 0 });
    expect({ delivered, committed: committed(stub) }).toEqual({ delivered: ['a'], committed: ['a'] });
  });

  test('does not fence who took the id while it was aborting', async () => {
    const stub = await startCluster(1, 1);
    const { producer, fencings } = start(stub.servers);
    await producer.claim();
    stub.fate = () => codes.outOfOrderSequence;
    spoil(stub, 'init', [() => takeOver(stub)]);
    producer.append(record('a'));
    await producer.flush(waitMs);
    expect(fencings[0]).toMatch(/init producer id: INVALID_PRODUCER_EPOCH/);
  });

  test('takes the id back only when it is told to, and then fences the other', async () => {
    const stub = await startCluster(1, 2);
    const first = start(stub.servers);
    const second = start(stub.servers);
    await first.producer.claim();
    await second.producer.claim();
    first.producer.append(record('lost'));
    await first.producer.flush(waitMs);
    second.producer.append(record('a'));
    await second.producer.flush(waitMs);
    await first.producer.claim();
    first.producer.append(record('b'));
    await first.producer.flush(waitMs);
    second.producer.append(record('lost as well'));
    await second.producer.flush(waitMs);
    expect([first.fencings.length, second.fencings.length]).toEqual([1, 1]);
    expect(committed(stub)).toEqual(['a', 'b']);
  });

  test('does not write again what may be committed', async () => {
    const stub = await startCluster(1, 1);
    const { producer, fencings } = start(stub.servers);
    await producer.claim();
    spoil(stub, 'commit', ['cut after', codes.invalidTransactionState]);
    producer.append(record('a'));
    await producer.flush(waitMs);
    expect(committed(stub)).toEqual(['a']);
    expect(fencings[0]).toMatch(/^the outcome of a commit is not known/);
  });

  test('is fenced by whoever fences its id', async () => {
    const stub = await startCluster(1, 1);
    const owner = start(stub.servers);
    await owner.producer.claim();
    await start(stub.servers).producer.fence(id);
    owner.producer.append(record('a'));
    await owner.producer.flush(waitMs);
    expect(owner.fencings).toHaveLength(1);
    expect(committed(stub)).toEqual([]);
  });
});

describe('a claim', () => {
  test('is refused where the broker knows no transactions, and what to do is said', async () => {
    const stub = await startCluster(1, 1);
    stub.hasTransactions = false;
    const { producer } = start(stub.servers);
    await expect(producer.claim()).rejects.toThrow(/does not support transactions .* or set delivery: AtLeastOnce$/);
  });

  test('is refused where the id is not allowed, and what to do is said', async () => {
    const stub = await startCluster(1, 1);
    spoil(stub, 'init', [codes.transactionalIdAuthorizationFailed]);
    const { producer } = start(stub.servers);
    await expect(producer.claim()).rejects.toThrow(/market\/binance\/0.*; allow the worker's user Write and Describe/);
  });

  test('fails without a broker', async () => {
    const { producer } = start(['127.0.0.1:1']);
    await expect(producer.claim()).rejects.toThrow(/^broker 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/);
  });

  test.each<[string, Fate[]]>([
    ['the coordinator aborts what a predecessor left open', [51, 51, 51]],
    ['it was made, and nobody says so', ['cut after', 'cut after']],
    ['the request is lost', ['cut before']],
    ['the coordinator loads its state', [14, 14]],
  ])('is repeated when %s', async (_, fates) => {
    const stub = await startCluster(1, 1);
    spoil(stub, 'init', fates);
    const { producer } = start(stub.servers);
    await producer.claim();
    producer.append(record('a'));
    expect(await producer.flush(waitMs)).toBe(0);
    expect(committed(stub)).toEqual(['a']);
  });

  test('aborts what a predecessor left open', async () => {
    const stub = await startCluster(1, 1);
    const dead = start(stub.servers);
    await dead.producer.claim();
    spoil(stub, 'produce', ['good', 'answer nothing']);
    dead.producer.append(record('a'));
    await dead.producer.flush(waitMs);
    dead.producer.append(record('open'));
    await expect.poll(() => stub.requests.length).toBe(2);
    await dead.producer.close();
    const { producer } = start(stub.servers);
    await producer.claim();
    producer.append(record('b'));
    await producer.flush(waitMs);
    expect(stub.partitions[0]?.log).toEqual(['a', 'open', 'b']);
    expect(committed(stub)).toEqual(['a', 'b']);
  });

  test('cannot be made twice', async () => {
    const stub = await startCluster(1, 1);
    const { producer } = start(stub.servers);
    await producer.claim();
    await expect(producer.claim()).rejects.toThrow(`${id} is claimed already`);
  });
});
