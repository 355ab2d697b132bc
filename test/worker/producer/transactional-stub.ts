// Transactional producers on a stub cluster, and what becomes of their requests; all are closed after each test.
import { afterEach } from 'vitest';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { TransactionalProducer } from '../../../worker/producer/transactional-producer.ts';
import { type Fate, type StubCluster, startStubCluster } from './stub-cluster.ts';
import type { CoordinatorRequest } from './stub-coordinator.ts';

export const id = 'market/binance/0';
/** No flush of these tests takes as long. */
export const waitMs = 20_000;

const producers: TransactionalProducer[] = [];
let cluster: StubCluster | null = null;
afterEach(async () => {
  await Promise.all(producers.splice(0).map((producer) => producer.close()));
  await cluster?.close();
  cluster = null;
});

export async function startCluster(brokers: number, partitions: number): Promise<StubCluster> {
  cluster = await startStubCluster(brokers, partitions);
  return cluster;
}

export const record = (value: string, key: string | null = 'k'): ProducerRecord => {
  return { topic: 't', key, value: Buffer.from(value), headers: [], timeMs: 0, exchangeTimeMs: null };
};

export interface Started {
  producer: TransactionalProducer;
  failures: string[];
  delivered: string[];
  fencings: string[];
}

export function start(
  bootstrapServers: string[],
  attach: () => ProducerRecord[] = () => [],
  silenceMsMax = 60_000,
): Started {
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
export function spoil(stub: StubCluster, kind: CoordinatorRequest | 'produce', fates: (Fate | (() => Fate))[]): void {
  const next = () => {
    const fate = fates.shift() ?? 'good';
    return typeof fate === 'function' ? fate() : fate;
  };
  if (kind === 'produce') stub.fate = next;
  else stub.coordinatorFate = (request) => (request === kind ? next() : 'good');
}

export function lateArrives(stub: StubCluster): Fate {
  for (const arrive of stub.late.splice(0)) arrive();
  return 'good';
}

export const committed = ({ partitions }: StubCluster) => partitions.flatMap((partition) => partition.committed());
