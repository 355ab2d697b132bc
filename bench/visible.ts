// A thread that reads committed records as a consumer does, and tells how old each one was when it became visible.
import { parentPort, workerData } from 'node:worker_threads';
import { Kafka, logLevel } from 'kafkajs';

export interface Reading {
  brokers: string[];
  topic: string;
}

/** Milliseconds since 1970, of the same clock in each thread. */
export const nowMs = () => performance.timeOrigin + performance.now();

async function read({ brokers, topic }: Reading): Promise<void> {
  const kafka = new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 500, minBytes: 1, readUncommitted: false });
  consumer.on('consumer.group_join', () => parentPort?.postMessage('ready'));
  await consumer.connect();
  await consumer.subscribe({ topic });
  let ages: number[] = [];
  await consumer.run({
    partitionsConsumedConcurrently: 3,
    eachBatch: async ({ batch }) => {
      const readMs = nowMs();
      for (const { value } of batch.messages) if (value) ages.push(readMs - value.readDoubleBE(0));
    },
  });
  parentPort?.on('message', async (message) => {
    if (message === 'ages') parentPort?.postMessage(Float64Array.from(ages));
    if (message === 'ages') ages = [];
    if (message === 'end') await consumer.disconnect().then(() => process.exit(0));
  });
}

if (parentPort !== null) await read(workerData);
