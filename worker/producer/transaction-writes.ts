// The records of one transaction to the leaders of their partitions, until all of them are in the log.
import type { Base, Broker } from '@platformatic/kafka';
import { requestBytesMax } from './client.ts';
import { describeCode, describeError } from './failures.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { produce } from './produce.ts';
import type { Writer } from './record-batch.ts';
import type { Topics } from './topics.ts';
import { meaningOf, remedyFor, TransactionError } from './transaction-failures.ts';

export interface Writes {
  client: Base;
  transactionalId: string;
  topics: Topics;
  onRetry: (why: string) => void;
  /** Before the attempt after so many failures: waits, and asks for the leaders. Throws when there is to be none. */
  rest: (failures: number) => Promise<void>;
}

/** @throws TransactionError when the transaction cannot be committed any more */
export async function writeAll(writes: Writes, writer: Writer): Promise<void> {
  let failures = 0;
  for (;;) {
    const requests = requestsOf(writes.topics);
    if (requests.length === 0) return;
    const problems = (await Promise.all(requests.map((request) => send(writes, writer, request)))).flat();
    if (problems.length === 0) {
      failures = 0;
      continue;
    }
    for (const problem of new Set(problems)) writes.onRetry(problem);
    await writes.rest(++failures);
  }
}

interface Request {
  leader: Broker | undefined;
  queues: PartitionQueue[];
}

/** One for each broker that leads something to write, and one for what nobody leads. */
function requestsOf(topics: Topics): Request[] {
  const requests = new Map<string | undefined, Request>();
  for (const { queue, leader } of topics.toWrite()) {
    const address = leader && `${leader.host}:${leader.port}`;
    const request = requests.get(address);
    if (request) request.queues.push(queue);
    else requests.set(address, { leader, queues: [queue] });
  }
  return [...requests.values()];
}

/** @returns why batches must be sent again, each in one sentence */
async function send(
  { client, transactionalId }: Writes,
  writer: Writer,
  { leader, queues }: Request,
): Promise<string[]> {
  if (leader === undefined) return queues.map((queue) => `${queue.name} has no leader`);
  try {
    const connection = await client.connections.get(leader);
    const batches = queues.map((queue) => {
      const { topic, partition } = queue;
      return { topic, partition, bytes: queue.send(writer, requestBytesMax / queues.length) };
    });
    const answer = await produce(connection, transactionalId, batches);
    return queues.flatMap((queue) => settle(queue, answer.codeOf(queue)));
  } catch (error) {
    if (error instanceof TransactionError) throw error;
    return [describeError(error as Error)];
  }
}

/** @returns why its batch must be sent again, if it must */
function settle(queue: PartitionQueue, code: number | null): string[] {
  if (code === null) return [`the broker's answer leaves ${queue.name} out`];
  const why = `${queue.name}: ${describeCode(code)}`;
  const meaning = meaningOf('produce', code);
  if (meaning === 'abort' || meaning === 'fenced' || meaning === 'refused') {
    const remedy = remedyFor(code);
    throw new TransactionError(meaning, remedy === null ? why : `${why}; ${remedy}`);
  }
  return queue.settle(code).delivered.length > 0 ? [] : [why];
}
