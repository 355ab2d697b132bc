// A Kafka cluster in this process: real sockets, model partitions, and answers that a test may spoil.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Reader, readRecordsBatch, Writer } from '@platformatic/kafka';
import { codes } from '../../../worker/producer/partition-queue.ts';
import { transactionCodes } from '../../../worker/producer/transaction-failures.ts';
import { ModelCoordinator } from './model-coordinator.ts';
import { isTransactional, ModelPartition } from './model-partition.ts';
import {
  type Asked,
  type CoordinatorRequest,
  coordinatorKeys,
  perform,
  readAsked,
  writeDone,
} from './stub-coordinator.ts';

const keys = {
  produce: 0,
  metadata: 3,
  findCoordinator: 10,
  apiVersions: 18,
  ...coordinatorKeys,
};

/**
 * What becomes of a request; a number is the error code that is answered, and then nothing is done. Late: the
 * connection ends, and the broker does it when the test says so.
 */
export type Fate = 'good' | 'cut before' | 'cut after' | 'late' | 'answer nothing' | number;

const notLeader = 6;
const notCoordinator = 16;

export interface StubCluster {
  /** Of the topic `t`. */
  partitions: ModelPartition[];
  /** Index of the broker that leads it, by partition. */
  leaders: number[];
  /** Asked for each Produce request, in order of arrival. */
  fate: (request: number) => Fate;
  /** Knows all transactional ids. */
  coordinator: ModelCoordinator;
  /** Index of its broker. */
  coordinatorNode: number;
  /** Asked for each request to the coordinator but FindCoordinator. */
  coordinatorFate: (request: CoordinatorRequest) => Fate;
  /** What connections that ended still held: done when it is called. */
  late: (() => void)[];
  /** Whether it says that it speaks transactions. */
  hasTransactions: boolean;
  /** Addresses, by broker. */
  servers: string[];
  /** Partitions of each Produce request so far. */
  requests: number[][];
  close(): Promise<void>;
}

export async function startStubCluster(brokers: number, partitions: number): Promise<StubCluster> {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const models = Array.from({ length: partitions }, () => new ModelPartition());
  const cluster: StubCluster = {
    partitions: models,
    leaders: Array.from({ length: partitions }, (_, index) => index % brokers),
    fate: () => 'good',
    coordinator: new ModelCoordinator(models),
    coordinatorNode: 0,
    coordinatorFate: () => 'good',
    late: [],
    hasTransactions: true,
    servers: [],
    requests: [],
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  for (let node = 0; node < brokers; node++) {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket)).on('error', () => {});
      serve(cluster, node, socket);
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    cluster.servers.push(`127.0.0.1:${address.port}`);
  }
  return cluster;
}

function serve(cluster: StubCluster, node: number, socket: Socket): void {
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
      const end = 4 + received.readInt32BE(0);
      const answer = answerTo(cluster, node, Reader.from(received.subarray(4, end)));
      received = received.subarray(end);
      if (answer === 'cut') socket.resetAndDestroy();
      else if (answer !== 'nothing') socket.write(answer.prependLength().buffer);
    }
  });
}

function answerTo(cluster: StubCluster, node: number, request: Reader): Writer | 'cut' | 'nothing' {
  const key = request.readInt16();
  const version = request.readInt16();
  const answer = Writer.create().appendInt32(request.readInt32());
  request.readNullableString(false);
  switch (key) {
    case keys.apiVersions:
      return writeVersions(answer, cluster);
    case keys.metadata:
      return writeMetadata(answer, cluster);
    case keys.initProducerId:
      if (version < 2) return answer.appendInt32(0).appendInt16(0).appendInt64(7n).appendInt16(0);
      return coordinate(answer, cluster, node, readAsked(request, key));
    case keys.addPartitions:
    case keys.end:
      return coordinate(answer, cluster, node, readAsked(request, key));
    case keys.findCoordinator:
      return writeCoordinator(answer, cluster);
    case keys.produce:
      return writeProduced(answer, cluster, node, request);
  }
  throw new Error(`API ${key} version ${version} is not expected`);
}

function writeVersions(answer: Writer, { hasTransactions }: StubCluster): Writer {
  const versions = [
    [keys.produce, 3, 7],
    [keys.metadata, 8, 8],
    [keys.initProducerId, 0, hasTransactions ? 3 : 1],
    [keys.findCoordinator, 0, 2],
    [keys.addPartitions, 0, 3],
    [keys.end, 0, 3],
  ] as const;
  answer.appendInt16(0).appendUnsignedVarInt(versions.length + 1);
  for (const [key, min, max] of versions)
    answer.appendInt16(key).appendInt16(min).appendInt16(max).appendTaggedFields();
  return answer.appendInt32(0).appendTaggedFields();
}

function writeMetadata(answer: Writer, { servers, leaders }: StubCluster): Writer {
  answer.appendInt32(0).appendInt32(servers.length);
  for (const [node, server] of servers.entries()) {
    const { hostname, port } = new URL(`kafka://${server}`);
    answer.appendInt32(node).appendString(hostname, false).appendInt32(Number(port)).appendString(null, false);
  }
  answer.appendString('stub', false).appendInt32(0).appendInt32(1);
  answer.appendInt16(0).appendString('t', false).appendBoolean(false).appendInt32(leaders.length);
  for (const [partition, leader] of leaders.entries()) {
    answer.appendInt16(0).appendInt32(partition).appendInt32(leader).appendInt32(0);
    for (let list = 0; list < 3; list++) answer.appendInt32(0);
  }
  return answer.appendInt32(0).appendInt32(0);
}

function writeProduced(
  answer: Writer,
  cluster: StubCluster,
  node: number,
  request: Reader,
): Writer | 'cut' | 'nothing' {
  request.readNullableString(false);
  request.skip(2 + 4 + 4);
  const topic = request.readString(false);
  const partitions = Array.from({ length: request.readInt32() }, () => {
    const partition = request.readInt32();
    const bytes = Buffer.from(request.readBytes(false));
    return { partition, bytes };
  });
  const fate = cluster.fate(cluster.requests.push(partitions.map(({ partition }) => partition)) - 1);
  if (fate === 'late') {
    cluster.late.push(() => {
      for (const { partition, bytes } of partitions) appendTo(cluster, partition, bytes);
    });
  }
  if (fate === 'cut before' || fate === 'late') return 'cut';
  answer.appendInt32(1).appendString(topic, false).appendInt32(partitions.length);
  for (const { partition, bytes } of partitions) {
    const isLeader = cluster.leaders[partition] === node;
    const append = () => appendTo(cluster, partition, bytes);
    // A broker looks for a repeat before it says anything of the order.
    const isSpoilt = typeof fate === 'number' && !(isOfOrder(fate) && cluster.partitions[partition]?.holds(bytes));
    const code = isSpoilt ? fate : isLeader ? append() : notLeader;
    answer.appendInt32(partition).appendInt16(code).appendInt64(0n).appendInt64(-1n).appendInt64(0n);
  }
  if (fate === 'cut after') return 'cut';
  return fate === 'answer nothing' ? 'nothing' : answer.appendInt32(0);
}

const isOfOrder = (code: number) => code === codes.outOfOrderSequence || code === codes.unknownProducerId;

/** Of a transaction, a broker takes only what belongs to an open one. */
function appendTo({ partitions, coordinator }: StubCluster, partition: number, bytes: Buffer): number {
  const batch = readRecordsBatch(Reader.from(bytes));
  const writer = { producerId: batch.producerId, epoch: batch.producerEpoch };
  if (isTransactional(batch) && !coordinator.isOpen(writer, partition)) return transactionCodes.invalidTransactionState;
  return partitions[partition]?.append(bytes) ?? -1;
}

function writeCoordinator(answer: Writer, { servers, coordinatorNode }: StubCluster): Writer {
  const { hostname, port } = new URL(`kafka://${servers[coordinatorNode]}`);
  answer.appendInt32(0).appendInt16(0).appendString(null, false).appendInt32(coordinatorNode);
  return answer.appendString(hostname, false).appendInt32(Number(port));
}

function coordinate(answer: Writer, cluster: StubCluster, node: number, asked: Asked): Writer | 'cut' | 'nothing' {
  const fate = node === cluster.coordinatorNode ? cluster.coordinatorFate(asked.kind) : notCoordinator;
  if (fate === 'late') cluster.late.push(() => perform(cluster.coordinator, asked));
  if (fate === 'cut before' || fate === 'late') return 'cut';
  const isRefused = typeof fate === 'number';
  const done = isRefused ? { ...asked.producer, code: fate } : perform(cluster.coordinator, asked);
  if (fate === 'cut after') return 'cut';
  return fate === 'answer nothing' ? 'nothing' : writeDone(answer, asked, done);
}
