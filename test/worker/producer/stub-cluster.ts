// A Kafka cluster in this process: real sockets, model partitions, and answers that a test may spoil.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Reader, Writer } from '@platformatic/kafka';
import { ModelPartition } from './model-partition.ts';

const keys = { produce: 0, metadata: 3, apiVersions: 18, initProducerId: 22 };

/** What becomes of a Produce request; a number is an error code for all its partitions, none of which it appends. */
export type Fate = 'good' | 'cut before append' | 'cut after append' | 'answer nothing' | number;

const notLeader = 6;

export interface StubCluster {
  /** Of the topic `t`. */
  partitions: ModelPartition[];
  /** Index of the broker that leads it, by partition. */
  leaders: number[];
  /** Asked for each Produce request, in order of arrival. */
  fate: (request: number) => Fate;
  /** Addresses, by broker. */
  servers: string[];
  /** Partitions of each Produce request so far. */
  requests: number[][];
  close(): Promise<void>;
}

export async function startStubCluster(brokers: number, partitions: number): Promise<StubCluster> {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const cluster: StubCluster = {
    partitions: Array.from({ length: partitions }, () => new ModelPartition()),
    leaders: Array.from({ length: partitions }, (_, index) => index % brokers),
    fate: () => 'good',
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
      return writeVersions(answer);
    case keys.metadata:
      return writeMetadata(answer, cluster);
    case keys.initProducerId:
      return answer.appendInt32(0).appendInt16(0).appendInt64(7n).appendInt16(0);
    case keys.produce:
      return writeProduced(answer, cluster, node, request);
  }
  throw new Error(`API ${key} version ${version} is not expected`);
}

function writeVersions(answer: Writer): Writer {
  const versions = [
    [keys.produce, 3, 7],
    [keys.metadata, 8, 8],
    [keys.initProducerId, 0, 1],
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
  if (fate === 'cut before append') return 'cut';
  answer.appendInt32(1).appendString(topic, false).appendInt32(partitions.length);
  for (const { partition, bytes } of partitions) {
    const isLeader = cluster.leaders[partition] === node;
    const append = () => cluster.partitions[partition]?.append(bytes) ?? -1;
    const code = typeof fate === 'number' ? fate : isLeader ? append() : notLeader;
    answer.appendInt32(partition).appendInt16(code).appendInt64(0n).appendInt64(-1n).appendInt64(0n);
  }
  if (fate === 'cut after append') return 'cut';
  return fate === 'answer nothing' ? 'nothing' : answer.appendInt32(0);
}
