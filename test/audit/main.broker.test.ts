// The auditor as a process, on a real broker: over what the worker wrote of every exchange, and over what was spoilt.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import avsc from 'avsc';
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readings } from '../../audit/readings.ts';
import type { Report } from '../../audit/report.ts';
import { framingBytes } from '../../worker/trade-encoder.ts';
import { required } from '../services/required.ts';
import { startSimulator } from '../simulator/simulator.ts';
import { type Ran, run } from '../worker/normalize-program.ts';
import { startWorker } from '../worker/process.ts';
import { binanceFrame, cursor, normalizedTrade, startMs } from './clean-set.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS');
const registryUrl = required('K2_TEST_SCHEMA_REGISTRY_URL');

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
const kafka = new Kafka({ clientId: 'audit-test', brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
const program = join(import.meta.dirname, '../../audit/main.ts');
const made: string[] = [];

let admin: Admin;

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
});
afterAll(async () => {
  const existing = new Set(await admin.listTopics());
  await admin.deleteTopics({ topics: made.filter((topic) => existing.has(topic)) });
  await admin.disconnect();
});

interface Topics {
  raw: string;
  normalized: string;
  cursors: string;
}

/** Its records are older than brokers keep them. */
const configEntries = [{ name: 'retention.ms', value: '-1' }];

async function createTopics(name: string, numPartitions = { raw: 3, normalized: 3 }): Promise<Topics> {
  const normalized = `audit-test-${process.pid}-${Date.now()}-${name}`;
  const topics = { raw: `${normalized}.raw`, normalized, cursors: `${normalized}.cursors` };
  made.push(...Object.values(topics), `${topics.raw}.dlq`);
  await admin.createTopics({
    waitForLeaders: true,
    topics: [
      { topic: topics.raw, numPartitions: numPartitions.raw, configEntries },
      { topic: topics.normalized, numPartitions: numPartitions.normalized, configEntries },
      { topic: topics.cursors, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] },
    ],
  });
  return topics;
}

const k2Audit = (exchange: string, { raw, normalized, cursors }: Topics, ...more: string[]): Promise<Ran> => {
  const topics = ['--topic-raw', raw, '--topic-normalized', normalized, '--topic-cursors', cursors];
  const broker = ['--bootstrap-servers', bootstrapServers, '--schema-registry', registryUrl];
  return run(process.execPath, [program, '--exchange', exchange, ...broker, ...topics, ...more], Buffer.alloc(0));
};

const reportIn = ({ output }: Ran) => JSON.parse(output) as Report & { notes: string[]; recordsRead: number };

/** Trades as the worker writes them, from id to id; registered, so that the registry knows their schema. */
class Writer {
  readonly #topics: Topics;
  readonly #producer: Producer;
  #schemaId = 0;

  constructor(topics: Topics, transactionalId?: string) {
    this.#topics = topics;
    const transactional =
      transactionalId === undefined ? {} : { transactionalId, maxInFlightRequests: 1, idempotent: true };
    this.#producer = kafka.producer({ allowAutoTopicCreation: false, ...transactional });
  }

  async open(): Promise<this> {
    const url = `${registryUrl}/subjects/${this.#topics.normalized}-value/versions`;
    const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ schema }) });
    this.#schemaId = ((await response.json()) as { id: number }).id;
    await this.#producer.connect();
    return this;
  }

  messages(symbol: string, firstId: number, lastId: number) {
    const ids = Array.from({ length: lastId - firstId + 1 }, (_, index) => firstId + index);
    return ids.map((id) => {
      const timeMs = startMs + id;
      const framing = Buffer.alloc(framingBytes);
      framing.writeUInt32BE(this.#schemaId, 1);
      const headers = { 'k2-connection': 'c', 'k2-received-us': `${timeMs}000` };
      return {
        raw: { key: symbol, timestamp: String(timeMs), value: binanceFrame(symbol, id), headers },
        normalized: {
          key: symbol,
          timestamp: String(timeMs),
          value: Buffer.concat([framing, type.toBuffer(normalizedTrade(symbol, id, timeMs))]),
        },
      };
    });
  }

  async write(
    symbol: string,
    firstId: number,
    lastId: number,
    skip: Partial<Record<'raw' | 'normalized', number>> = {},
  ) {
    const messages = this.messages(symbol, firstId, lastId);
    const without = (side: 'raw' | 'normalized') =>
      messages.filter((_, index) => firstId + index !== skip[side]).map((message) => message[side]);
    await this.#producer.sendBatch({
      topicMessages: [
        { topic: this.#topics.raw, messages: without('raw') },
        { topic: this.#topics.normalized, messages: without('normalized') },
      ],
    });
  }

  /** In a transaction of its own. */
  async transact(symbol: string, firstId: number, lastId: number, isCommitted: boolean): Promise<void> {
    const transaction = await this.#producer.transaction();
    const messages = this.messages(symbol, firstId, lastId);
    for (const side of ['raw', 'normalized'] as const) {
      await transaction.send({ topic: this.#topics[side], messages: messages.map((message) => message[side]) });
    }
    await (isCommitted ? transaction.commit() : transaction.abort());
  }

  async writeCursor(symbol: string, value: string): Promise<void> {
    const messages = [{ key: `cursor default/binance ${symbol}`, value }];
    await this.#producer.send({ topic: this.#topics.cursors, messages });
  }

  close = () => this.#producer.disconnect();
}

describe('what the worker writes', () => {
  test.each([
    ['binance', '', 'BTCUSDT,ETHUSDT'],
    ['kraken', '/kraken', 'BTC/USDT,ETH/USDT'],
    ['coinbase', '/coinbase', 'BTC-USDT,ETH-USDT'],
    ['coinbase-advanced', '/coinbase-advanced', 'BTC-USDT,ETH-USDT'],
    ['okx', '/okx', 'BTC-USDT,ETH-USDT'],
    ['bybit', '/bybit', 'BTCUSDT,ETHUSDT'],
  ])('of %s, through a cut connection, stands the audit', async (exchange, path, symbols) => {
    const topics = await createTopics(exchange);
    const simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 400 });
    const worker = startWorker({
      K2_EXCHANGE: exchange,
      // Of its own: another worker of the same feed on this broker would take its place.
      K2_FEED: `audit/${topics.normalized}`,
      K2_SYMBOLS: symbols,
      K2_KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
      K2_KAFKA_SCHEMA_REGISTRY_URL: registryUrl,
      K2_KAFKA_TOPIC_RAW: topics.raw,
      K2_KAFKA_TOPIC_NORMALIZED: topics.normalized,
      K2_KAFKA_TOPIC_CURSORS: topics.cursors,
      K2_EXCHANGE_WEBSOCKET_URL: `${simulator.webSocketUrl}${path}`,
      K2_EXCHANGE_REST_URL: `${simulator.url}${path}`,
    });
    const status = async () => JSON.parse((await worker.get('/status')).body) as { tradesTotal: number };
    const written = (count: number) =>
      expect.poll(async () => (await status()).tradesTotal, { timeout: 60_000 }).toBeGreaterThan(count);
    try {
      await written(300);
      await simulator.cut();
      await written((await status()).tradesTotal + 600);
      // While it writes, and after it.
      const during = await k2Audit(exchange, topics, '--json');
      worker.child.kill('SIGTERM');
      expect(await worker.exited).toBe(0);
      const after = await k2Audit(exchange, topics, '--json');
      const { symbols: audited, findings } = reportIn(after);
      expect(findings).toEqual([]);
      expect(after.code).toBe(0);
      const cursor = readings[exchange]?.whyNoProof === null ? 'equal' : 'skipped';
      expect(audited).toMatchObject(symbols.split(',').map((symbol) => ({ symbol, cursor })));
      // A gap may be open just then.
      expect(Object.keys(reportIn(during).counts).filter((kind) => kind !== 'missing')).toEqual([]);
    } finally {
      worker.child.kill('SIGKILL');
      await worker.exited;
      await simulator.close();
    }
  });
});

describe('an audit of a real topic', () => {
  test('passes over aborted transactions, also several of one producer, and finds the rest complete', async () => {
    const topics = await createTopics('aborted');
    const writer = await new Writer(topics, topics.normalized).open();
    for (let id = 1; id < 100; id += 10) {
      await writer.transact('BTCUSDT', id, id + 9, false);
      await writer.transact('BTCUSDT', id, id + 9, true);
    }
    await writer.transact('BTCUSDT', 101, 110, false);
    await writer.close();
    const ran = await k2Audit('binance', topics);
    expect(ran.output).toContain('COMPLETE: each trade once, as sent');
    expect(ran.output).toMatch(/^BTCUSDT +100 +1 +100 +0 +0 /m);
    expect(ran.code).toBe(0);
  });

  test('finds what is lost, doubled and wrong in it, with the places, whatever the partitions', async () => {
    const topics = await createTopics('spoilt', { raw: 2, normalized: 5 });
    const writer = await new Writer(topics).open();
    await writer.write('BTCUSDT', 1, 1000);
    await writer.write('ETHUSDT', 1, 50, { normalized: 20 });
    await writer.write('ETHUSDT', 51, 100, { raw: 70 });
    await writer.write('ETHUSDT', 100, 100, { raw: 100 });
    await writer.writeCursor('BTCUSDT', cursor(1000));
    await writer.writeCursor('ETHUSDT', cursor(99));
    await writer.close();
    const ran = await k2Audit('binance', topics);
    expect(ran.code).toBe(1);
    expect(ran.output).toMatch(/^BTCUSDT +1,000 +1 +1000 +0 +0 +0 +0 +0 +0 +equal$/m);
    expect(ran.output).toMatch(/^ETHUSDT +99 +1 +100 +1 +1 +0 +1 +1 +0 +differs$/m);
    const findings = ran.output.split('\n').filter((line) => line.startsWith('- '));
    expect(findings).toEqual([
      expect.stringMatching(/^- ETHUSDT 100 is there again \(\S+\/\d@\d+\)$/),
      expect.stringMatching(/^- ETHUSDT 20 is not in the normalized topic \(\S+\.raw\/\d@\d+\)$/),
      expect.stringMatching(/^- ETHUSDT 70 is in no raw record \(\S+\/\d@\d+\)$/),
      '- ETHUSDT 20 is missing',
      '- ETHUSDT: the cursor of default/binance says 99, and the last trade is 100',
    ]);
  });

  test('audits from where both topics begin, and a time that is asked for', async () => {
    const topics = await createTopics('cut', { raw: 1, normalized: 1 });
    const writer = await new Writer(topics).open();
    // A minute and more after the cut, for workers have different clocks.
    await writer.write('BTCUSDT', 1, 500);
    await writer.write('BTCUSDT', 70_000, 70_099);
    await writer.close();
    // The client deletes only of topics that it has looked up.
    await admin.fetchTopicOffsets(topics.normalized);
    await admin.deleteTopicRecords({ topic: topics.normalized, partitions: [{ partition: 0, offset: '300' }] });
    const cut = await k2Audit('binance', topics, '--json');
    expect(reportIn(cut)).toMatchObject({ findings: [], totals: { raw: 100, normalized: 100 } });
    expect(reportIn(cut).notes.join()).toContain('audited from 2024-11-24T09:01:00.301Z on');
    const times = ['--from', String(startMs + 70_010), '--until', String(startMs + 70_020)];
    const asked = await k2Audit('binance', topics, '--json', ...times);
    expect(reportIn(asked)).toMatchObject({ findings: [], totals: { raw: 10, normalized: 10 } });
    expect([cut.code, asked.code]).toEqual([0, 0]);
  });

  test('is not done where a topic is missing or the broker is away, and says so', async () => {
    const topics = await createTopics('missing');
    const missing = await k2Audit('binance', { ...topics, raw: `${topics.raw}.gone` });
    expect(missing).toMatchObject({ code: 3, output: '' });
    expect(missing.errors).toContain(`topic ${topics.raw}.gone does not exist on broker ${bootstrapServers}`);
    const away = await k2Audit('binance', topics, '--bootstrap-servers', '127.0.0.1:1');
    expect(away).toMatchObject({ code: 3, output: '' });
    expect(away.errors).toMatch(/topic \S+ cannot be looked up on broker 127.0.0.1:1, 6 times: .*ECONNREFUSED/);
    const empty = await k2Audit('binance', topics);
    expect(empty.code).toBe(3);
    expect(empty.output).toContain('NOTHING TO AUDIT');
    const wrong = await k2Audit('binance', topics, '--nothing');
    expect(wrong).toMatchObject({ code: 2, output: '' });
  });
});
