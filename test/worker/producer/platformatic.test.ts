import { afterEach, expect, test } from 'vitest';
import { bufferBytesMax, bufferRecordsMax, PlatformaticProducer } from '../../../worker/producer/platformatic.ts';
import type { Producer, ProducerRecord } from '../../../worker/producer/producer.ts';

let producer: Producer | null = null;
afterEach(async () => {
  await producer?.close();
  producer = null;
});

/** A producer whose broker refuses connections. */
function startWithoutBroker() {
  const failures: string[] = [];
  const created = new PlatformaticProducer({
    bootstrapServers: ['127.0.0.1:1'],
    clientId: 'test',
    random: () => 0,
    onDelivered: () => expect.unreachable('nothing can be delivered'),
    onRetry: (why) => failures.push(why),
  });
  producer = created;
  return { producer: created, failures };
}

const record = (valueBytes: number): ProducerRecord => {
  return { topic: 't', key: 'k', value: Buffer.alloc(valueBytes), headers: [], timeMs: 0, exchangeTimeMs: null };
};

test('without a broker the buffer is full after so many records, and says how many were not written', async () => {
  const { producer } = startWithoutBroker();
  let taken = 1;
  while (producer.append(record(10))) taken++;
  expect(taken).toBe(bufferRecordsMax + 1);
  expect(await producer.flush(1)).toBe(taken);
});

test('without a broker the buffer is full after so many bytes', async () => {
  const { producer } = startWithoutBroker();
  while (producer.append(record(100_000)));
  const { bytes, records } = producer.buffered();
  expect(bytes).toBeGreaterThan(bufferBytesMax);
  expect(bytes).toBeLessThan(bufferBytesMax + 110_000);
  expect(records).toBeGreaterThan(300);
});

test('the reason of a failed request is told, with the address', async () => {
  const { producer, failures } = startWithoutBroker();
  producer.append(record(10));
  await expect.poll(() => failures.length).toBeGreaterThan(1);
  expect(failures[0]).toMatch(/^cannot write to 127\.0\.0\.1:1: .*ECONNREFUSED 127\.0\.0\.1:1/);
});

test('an empty buffer has room and is flushed at once', async () => {
  const { producer } = startWithoutBroker();
  await producer.room();
  expect(await producer.flush(60_000)).toBe(0);
});

test('a missing broker is told when topics are checked', async () => {
  const { producer } = startWithoutBroker();
  await expect(producer.checkTopics(['t'])).rejects.toThrow(/^broker 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/);
});
