// Fills two topics with trades as the worker writes them, as fast as the broker takes them: to measure the auditor.
// usage: node test/audit/generate.ts BOOTSTRAP_SERVERS NORMALIZED_TOPIC TRADES [SYMBOLS]
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { binance } from '../../worker/exchanges/binance.ts';
import { BatchProducer } from '../../worker/producer/batch-producer.ts';
import { Records } from '../../worker/records.ts';

/** Then the producer sees what was appended. */
const tradesPerTurn = 500;
const flushMsMax = 60_000;
const partitions = 3;

const [bootstrapServers, topicNormalized, tradesText, symbolsText = '3'] = process.argv.slice(2);
if (bootstrapServers === undefined || topicNormalized === undefined || tradesText === undefined) {
  console.error('usage: node test/audit/generate.ts BOOTSTRAP_SERVERS NORMALIZED_TOPIC TRADES [SYMBOLS]');
  process.exit(2);
}
const brokers = bootstrapServers.split(',');
const topicRaw = `${topicNormalized}.raw`;
const trades = Number(tradesText);
const symbols = Array.from({ length: Number(symbolsText) }, (_, index) => ({
  symbol: `COIN${index}USDT`,
  id: 6_700_000_000,
}));

const admin = new Kafka({ clientId: 'audit-generate', brokers, logLevel: logLevel.NOTHING }).admin();
await admin.connect();
const topics = [topicRaw, topicNormalized].map((topic) => ({ topic, numPartitions: partitions }));
await admin.createTopics({ waitForLeaders: true, topics });
await admin.disconnect();

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const records = new Records({ exchange: 'binance', topicRaw, topicNormalized, schema, schemaId: 1 });
const onRetry = (why: string) => console.error(why);
const producer = new BatchProducer({
  bootstrapServers: brokers,
  clientId: 'audit-generate',
  random: Math.random,
  onDelivered() {},
  onRetry,
});
await producer.checkTopics([topicRaw, topicNormalized]);

/** Digits that look like a market's: they change from trade to trade, with eight decimals. */
function frameOf(index: number, symbol: string, id: number, timeMs: number): Buffer {
  const price = `${61_000 + (index % 977)}.${String(index % 100).padStart(2, '0')}000000`;
  const quantity = `0.${String((index * 7919) % 100_000).padStart(5, '0')}000`;
  const data = {
    e: 'trade',
    E: timeMs,
    s: symbol,
    t: id,
    p: price,
    q: quantity,
    T: timeMs,
    m: index % 2 === 0,
    M: true,
  };
  return Buffer.from(JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data }));
}

const startMs = performance.now();
for (let index = 0; index < trades; ) {
  let hasRoom = true;
  for (const end = Math.min(trades, index + tradesPerTurn); index < end; index++) {
    const of = symbols[index % symbols.length];
    if (of === undefined) throw new Error('at least one symbol is needed');
    const receivedUs = Date.now() * 1000;
    const frame = frameOf(index, of.symbol, of.id++, Math.floor(receivedUs / 1000));
    const parsed = binance.parse(frame);
    if (parsed.kind !== 'trades') throw new Error(`not a trade: ${frame}`);
    hasRoom = producer.append(records.raw({ frame, connectionId: 'generated-1', receivedUs }, of.symbol));
    for (const trade of parsed.trades) {
      hasRoom = producer.append(records.normalized(trade, `${of.symbol.slice(0, -4)}/USDT`, receivedUs));
    }
  }
  await (hasRoom ? new Promise(setImmediate) : producer.room());
}
const left = await producer.flush(flushMsMax);
await producer.close();
if (left > 0) throw new Error(`${left} records were not written`);
const seconds = (performance.now() - startMs) / 1000;
console.log(`${trades} trades in ${seconds.toFixed(1)} s: ${Math.round((2 * trades) / seconds)} records a second`);
