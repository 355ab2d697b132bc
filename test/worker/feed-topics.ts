// The topics of one test on a real broker, and what a consumer that reads committed finds in them.
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { type Admin, type ITopicConfig, Kafka, logLevel, type Message } from 'kafkajs';
import { until } from '../cluster/until.ts';
import { required } from '../services/required.ts';

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
const partitions = 3;
/** A second, on a machine that has other things to do. */
const leadersMs = 30_000;
const sentinel = 'k2-test-end';

export interface WrittenTrade {
  symbol: string;
  id: string;
  isBackfilled: boolean;
}

export interface FeedTopics {
  raw: string;
  normalized: string;
  cursors: string;
  /** The worker's environment for them. */
  environment: Record<string, string>;
  /** Makes the cursor topic, or another one like it. */
  addCursors(topic: string): Promise<void>;
  /** Everything committed in a topic, by partition in order. Every transaction must have ended. */
  consume(topic: string): Promise<Message[]>;
  /** What consumers of the normalized topic get. */
  trades(): Promise<WrittenTrade[]>;
  remove(): Promise<void>;
}

/** @param name no other test has it */
export async function createFeedTopics(name: string): Promise<FeedTopics> {
  const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS');
  const kafka = new Kafka({ clientId: name, brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const [raw, normalized, cursors] = [`${name}.raw`, name, `${name}.cursors`];
  const made = [raw, normalized, `${raw}.dlq`];
  await admin.connect();
  await createTopics(
    admin,
    made.map((topic) => ({ topic, numPartitions: partitions })),
  );
  const addCursors = async (topic: string) => {
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    await createTopics(admin, [{ topic, numPartitions: 1, configEntries }]);
    made.push(topic);
  };
  await addCursors(cursors);
  const consume = (topic: string) => consumeCommitted(kafka, admin, topic);
  return {
    raw,
    normalized,
    cursors,
    environment: {
      K2_KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
      K2_KAFKA_SCHEMA_REGISTRY_URL: required('K2_TEST_SCHEMA_REGISTRY_URL'),
      K2_KAFKA_TOPIC_RAW: raw,
      K2_KAFKA_TOPIC_NORMALIZED: normalized,
      K2_KAFKA_TOPIC_CURSORS: cursors,
    },
    addCursors,
    consume,
    async trades() {
      return (await consume(normalized)).map(({ value, headers }) => {
        const trade = type.fromBuffer((value as Buffer).subarray(5)) as { symbol: string; trade_id: string };
        return { symbol: trade.symbol, id: trade.trade_id, isBackfilled: headers?.['k2-source'] !== undefined };
      });
    },
    async remove() {
      await admin.deleteTopics({ topics: made });
      await admin.disconnect();
    },
  };
}

/** The client's own wait for leaders fails where the broker that it asks has not heard of the topic yet. */
export async function createTopics(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  await admin.createTopics({ waitForLeaders: false, topics });
  const names = topics.map(({ topic }) => topic);
  await until(`${names} to have leaders`, leadersMs, async () => {
    const made = (await admin.fetchTopicMetadata({ topics: names })).topics.flatMap((topic) => topic.partitions);
    return made.every(({ leader }) => leader >= 0) ? true : undefined;
  });
}

/** Offsets count the marks of transactions, too, so the end is a record of our own, in each partition. */
async function consumeCommitted(kafka: Kafka, admin: Admin, topic: string): Promise<Message[]> {
  const ends = (await admin.fetchTopicOffsets(topic)).map(({ partition }) => partition);
  const mark = `${Date.now()}`;
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({
    topic,
    messages: ends.map((partition) => ({ partition, key: sentinel, value: mark })),
  });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: `${topic}-reader-${mark}`, readUncommitted: false });
  const found: Message[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let left = ends.length;
  await new Promise<void>((resolve) => {
    void consumer.run({
      async eachMessage({ message }) {
        if (String(message.key) !== sentinel) found.push(message);
        else if (String(message.value) === mark && --left === 0) resolve();
      },
    });
  });
  await consumer.disconnect();
  return found;
}
