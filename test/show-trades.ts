// Prints the newest trades of a normalized topic, decoded, and exits.
// usage: node test/show-trades.ts BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC [COUNT]
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry';
import { Kafka, logLevel } from 'kafkajs';

/** Records waited for at most this long, milliseconds: a quiet topic must not hold the terminal. */
const waitMsMax = 10_000;

const [bootstrapServers, registryUrl, topic, count = '5'] = process.argv.slice(2);
if (bootstrapServers === undefined || registryUrl === undefined || topic === undefined) {
  console.error('usage: node test/show-trades.ts BOOTSTRAP_SERVERS SCHEMA_REGISTRY_URL TOPIC [COUNT]');
  process.exit(2);
}
const wanted = Number.parseInt(count, 10);
const kafka = new Kafka({ brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
const registry = new SchemaRegistry({ host: registryUrl });
const admin = kafka.admin();
const consumer = kafka.consumer({ groupId: `show-trades-${process.pid}`, maxWaitTimeInMs: 100 });
await Promise.all([admin.connect(), consumer.connect()]);
const ends = await admin.fetchTopicOffsets(topic);

await consumer.subscribe({ topic });
let shown = 0;
await new Promise<void>((resolve, reject) => {
  const timer = setTimeout(resolve, waitMsMax);
  consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  consumer
    .run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (shown >= wanted || message.value === null) return;
        shown += 1;
        const trade = await registry.decode(message.value);
        console.log(`${topic} [${partition}] @${message.offset}  ${JSON.stringify(trade)}`);
        if (shown === wanted) {
          clearTimeout(timer);
          resolve();
        }
      },
    })
    .catch(reject);
  // A little before each partition's end, so that the newest records come first whatever partition they are in.
  for (const { partition, high } of ends) {
    const offset = BigInt(high) - BigInt(wanted);
    consumer.seek({ topic, partition, offset: (offset > 0n ? offset : 0n).toString() });
  }
});
await Promise.all([consumer.disconnect(), admin.disconnect()]);
if (shown < wanted) {
  console.error(`${topic}: ${shown} of ${wanted} trades within ${waitMsMax / 1000} s`);
  process.exit(1);
}
