import { afterEach, describe, expect, test } from 'vitest';
import { answeredRecordsMax } from '../../../worker/producer/buffer.ts';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { transactionCodes as codes } from '../../../worker/producer/transaction-failures.ts';
import { TransactionalProducer } from '../../../worker/producer/transactional-producer.ts';
import { type Fate, type StubCluster, startStubCluster } from './stub-cluster.ts';
import type { CoordinatorRequest } from './stub-coordinator.ts';

const id = 'market/binance/0';
const waitMs = 20_000;

const producers: TransactionalProducer[] = [];
let cluster: StubCluster | null = null;
afterEach(async () => {
  await Promise.all(producers.splice(0).map((producer) => producer.close()));
  await cluster?.close();
  cluster = null;
});

async function startCluster(brokers: number, partitions: number): Promise<StubCluster> {
  cluster = await startStubCluster(brokers, partitions);
  return cluster;
}

const record = (value: string, key: string | null = 'k'): ProducerRecord => {
  return { topic: 't', key, value: Buffer.from(value), headers: [], timeMs: 0, exchangeTimeMs: null };
};

interface Started {
  producer: TransactionalProducer;
  failures: string[];
  delivered: string[];
  fencings: string[];
}

function start(bootstrapServers: string[], attach: () => ProducerRecord[] = () => [], silenceMsMax = 60_000): Started {
  const failures: string[] = [];
  const delivered: string[] = [];
  const fencings: string[] = [];
  const producer = new TransactionalProducer({
    bootstrapServers,
    clientId: 'test',
    random: () => 0,
    onDelivered: (records) => delivered.push(...records.map(({ value }) => String(value))),
    onRetry: (why) => failures.push(why),
    transactionalId: id,
    monotonicMs: () => performance.now(),
    silenceMsMax,
    attach,
    onFenced: (why) => fencings.push(why),
    retry: { delayMsBase: 2, delayMsMax: 10 },
  });
  producers.push(producer);
  return { producer, failures, delivered, fencings };
}

/** Each request of this kind meets the next fate, and those after the last one are good. */
function spoil(stub: StubCluster, kind: CoordinatorRequest | 'produce', fates: (Fate | (() => Fate))[]): void {
  const next = () => {
    const fate = fates.shift() ?? 'good';
    return typeof fate === 'function' ? fate() : fate;
  };
  if (kind === 'produce') stub.fate = next;
  else stub.coordinatorFate = (request) => (request === kind ? next() : 'good');
}

function lateArrives(stub: StubCluster): Fate {
  for (const arrive of stub.late.splice(0)) arrive();
  return 'good';
}

const committed = ({ partitions }: StubCluster) => partitions.flatMap((partition) => partition.committed());

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

describe('a producer that is fenced', () => {
  const takeOver = () => {
    cluster?.coordinator.takeOver(id);
    return 'good' as const;
  };
  const timeOut = () => {
    cluster?.coordinator.timeOut();
    return 'good' as const;
  };

  test.each<[string, CoordinatorRequest | 'produce', () => Fate]>([
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
    spoil(stub, kind, [happen]);
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
    spoil(stub, 'init', [takeOver]);
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
