import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Socket } from 'node:net';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openKafka } from '../../../api/secrets.ts';
import type { Brokers } from '../../../controller/access.ts';
import type { Topic } from '../../../controller/desired.ts';
import type { TargetError } from '../../../controller/errors.ts';
import type { TopicAction } from '../../../controller/plan.ts';
import { createTopicsTarget } from '../../../controller/targets/topics.ts';
import { createLogger } from '../../../runtime/log.ts';
import { until } from '../../cluster/until.ts';
import { ledgerInMemory } from '../ledger-in-memory.ts';
import { bootstrapServers } from './services.ts';

const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;
const ledger = ledgerInMemory();
const options = { log: createLogger('error', 'test'), nowMs: () => performance.now() };
const target = createTopicsTarget({ ledger, ...options });
const brokersAt = (...servers: string[]): Brokers => ({ servers, access: openKafka, key: servers.join(), version: '' });
const brokers = brokersAt(...bootstrapServers);
/** What the target did is looked at with a client of its own. */
const admin = new Kafka({ brokers: bootstrapServers, logLevel: logLevel.NOTHING }).admin();

const run = `controller-test-${Date.now()}-${process.pid}`;
let count = 0;
const newTopic = (): Topic => ({
  name: `${run}-${++count}`,
  content: 'Normalized',
  partitions: 3,
  replicationFactor: 1,
  config: { 'retention.ms': '3600000' },
  initialConfig: {},
});
const newCursorTopic = (): Topic => ({
  ...newTopic(),
  content: 'Cursors',
  partitions: 1,
  config: { 'cleanup.policy': 'compact' },
  initialConfig: { 'segment.bytes': '4194304', 'segment.ms': '600000', 'delete.retention.ms': '300000' },
});

const apply = (kind: TopicAction['kind'], ...topics: Topic[]) =>
  target.apply({ brokers, topics }, { target: 'topics', kind, topics });
const observe = (...topics: Topic[]) => target.observe({ brokers, topics });
const namesOf = (...topics: Topic[]) => topics.map(({ name }) => name);
const failureOf = (work: Promise<unknown>): Promise<TargetError> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );

/** Writes to TCP connections that are opened from now on: a request of a Kafka client is one. */
function countRequests() {
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    const write = socket.write.bind(socket) as (...sent: unknown[]) => boolean;
    socket.write = (...sent: unknown[]) => {
      requests.count++;
      return write(...sent);
    };
  };
  const requests = { count: 0, stop: () => unsubscribe('net.client.socket', onSocket) };
  subscribe('net.client.socket', onSocket);
  return requests;
}

async function configOf(name: string, config: string): Promise<string | undefined> {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name }];
  const described = await admin.describeConfigs({ resources, includeSynonyms: false });
  return described.resources[0]?.configEntries.find(({ configName }) => configName === config)?.configValue;
}

beforeAll(() => admin.connect());
afterAll(async () => {
  const topics = (await admin.listTopics()).filter((name) => name.startsWith(run));
  await admin.deleteTopics({ topics });
  await admin.disconnect();
  await target.close();
});

describe('topics', () => {
  test('that do not exist are observed as such, and are not created by looking', async () => {
    const topic = newTopic();
    expect(await observe(topic)).toEqual(new Map());
    expect(await admin.listTopics()).not.toContain(topic.name);
  });

  test('are created as desired, both at once and without seconds of waiting for leaders', async () => {
    const [raw, normalized] = [newTopic(), { ...newTopic(), partitions: 5, config: { 'retention.ms': '7200000' } }];
    await observe(raw, normalized);
    const start = performance.now();
    await apply('create', raw, normalized);
    expect(performance.now() - start).toBeLessThan(3_000);
    expect(await observe(raw, normalized)).toEqual(
      new Map([
        [raw.name, { partitions: 3, replicationFactor: 1, config: { 'retention.ms': '3600000' } }],
        [normalized.name, { partitions: 5, replicationFactor: 1, config: { 'retention.ms': '7200000' } }],
      ]),
    );
  });

  test('that another feed has just created are no failure, and the missing one is made', async () => {
    const [shared, own] = [newTopic(), newTopic()];
    await apply('create', shared);
    await apply('create', shared, own);
    // The client waits for a new topic's leaders only when all were made.
    const names = async () => [...(await observe(shared, own)).keys()];
    await expect.poll(names).toEqual([shared.name, own.name]);
  });

  test('that this operator made are in its ledger, and one that somebody else made is adopted', async () => {
    const [own, foreign] = [newTopic(), newTopic()];
    const topic = { topic: foreign.name, numPartitions: 3, replicationFactor: 1 };
    await admin.createTopics({ topics: [topic], waitForLeaders: false });
    await apply('create', own, foreign);
    expect(ledger.entries()).toMatchObject({ [own.name]: 'made' });
    expect(ledger.entries()).not.toHaveProperty([foreign.name]);
    const observed = await observe(own, foreign);
    expect([own, foreign].map(({ name }) => observed.get(name)?.isAdopted)).toEqual([undefined, true]);
    expect([...(await target.made({ brokers, topics: [own, foreign] }))]).toEqual([own.name]);
  });

  test('are in the ledger of all who made them at once, each once', async () => {
    const shared = newTopic();
    await Promise.all([apply('create', shared), apply('create', shared), apply('create', shared)]);
    expect(ledger.entries()).toMatchObject({ [shared.name]: 'made' });
    expect((await observe(shared)).get(shared.name)?.isAdopted).toBeUndefined();
  });

  test('of which the broker refuses one are made all the same, and noted', async () => {
    const [good, bad] = [newTopic(), { ...newTopic(), config: { 'no.such.setting': '1' } }];
    expect(await failureOf(apply('create', good, bad))).toMatchObject({
      reason: 'TopicRefused',
      message: expect.stringMatching(new RegExp(`: ${bad.name}: Configuration is invalid`)),
    });
    expect([...(await observe(good, bad)).keys()]).toEqual([good.name]);
    expect(ledger.entries()).toMatchObject({ [good.name]: 'made' });
  });

  test('are removed by name, forgotten with them, and gone already is no failure', async () => {
    const [one, two] = [newTopic(), newTopic()];
    await apply('create', one, two);
    await target.remove({ brokers, topics: [one, two] }, namesOf(one));
    await target.remove({ brokers, topics: [one, two] }, namesOf(one));
    expect([...(await observe(one, two)).keys()]).toEqual([two.name]);
    expect(ledger.entries()).not.toHaveProperty([one.name]);
    expect((await target.made({ brokers, topics: [one, two] })).has(two.name)).toBe(true);
  });

  test('of sixty feeds are looked at for drift in a handful of requests, be one of them gone or not', async () => {
    const topics = Array.from({ length: 60 }, newTopic);
    await apply('create', ...topics);
    let nowMs = 0;
    const requests = countRequests();
    const looking = createTopicsTarget({ ledger, log: options.log, nowMs: () => nowMs });
    const lookForDrift = async () => {
      nowMs += 300_000;
      const before = requests.count;
      const seen = await Promise.all(topics.map((topic) => looking.observe({ brokers, topics: [topic] }, 60_000)));
      return { requests: requests.count - before, topics: seen.filter(({ size }) => size === 1).length };
    };
    await lookForDrift();
    const all = await lookForDrift();
    expect(all.topics).toBe(60);
    expect(all.requests).toBeLessThanOrEqual(5);
    const [gone = ''] = namesOf(...topics);
    await admin.deleteTopics({ topics: [gone] });
    await until('the broker to have heard of it', 10_000, async () =>
      (await admin.listTopics()).includes(gone) ? undefined : true,
    );
    const oneLess = await lookForDrift();
    expect(oneLess.topics).toBe(59);
    expect(oneLess.requests).toBeLessThanOrEqual(25);
    requests.stop();
    await looking.close();
  });

  test('grow', async () => {
    const topic = newTopic();
    await apply('create', topic);
    await apply('grow', { ...topic, partitions: 6 });
    expect((await observe(topic)).get(topic.name)?.partitions).toBe(6);
  });

  test('get their retention back after somebody changed it, and keep what else was set on them', async () => {
    const topic = newTopic();
    await apply('create', topic);
    const configEntries = [
      { name: 'retention.ms', value: '60000' },
      { name: 'max.message.bytes', value: '2000000' },
    ];
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic.name, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
    expect((await observe(topic)).get(topic.name)?.config).toEqual({ 'retention.ms': '60000' });

    await apply('configure', topic);
    expect((await observe(topic)).get(topic.name)?.config).toEqual(topic.config);
    expect(await configOf(topic.name, 'max.message.bytes')).toBe('2000000');
  });

  test('of cursors are made compacted, with small segments', async () => {
    const topic = newCursorTopic();
    await apply('create', topic);
    expect((await observe(topic)).get(topic.name)).toEqual({
      partitions: 1,
      replicationFactor: 1,
      config: { 'cleanup.policy': 'compact' },
    });
    for (const [config, value] of Object.entries(topic.initialConfig))
      expect(await configOf(topic.name, config)).toBe(value);
  });

  test('of cursors that would be deleted by age are compacted again, and keep what else was set', async () => {
    const topic = newCursorTopic();
    await apply('create', {
      ...topic,
      config: { 'cleanup.policy': 'delete' },
      initialConfig: { 'segment.ms': '900000' },
    });
    expect((await observe(topic)).get(topic.name)?.config).toEqual({ 'cleanup.policy': 'delete' });
    await apply('configure', topic);
    expect((await observe(topic)).get(topic.name)?.config).toEqual({ 'cleanup.policy': 'compact' });
    expect(await configOf(topic.name, 'segment.ms')).toBe('900000');
  });

  test('that the broker refuses are told in its words', async () => {
    const topic = { ...newTopic(), replicationFactor: 9 };
    expect(await failureOf(apply('create', topic))).toMatchObject({
      reason: 'TopicRefused',
      message: expect.stringMatching(
        new RegExp(`^create ${topic.name}: ${topic.name}: Replication-?factor is invalid`, 'i'),
      ),
    });
  });

  test('are not shrunk by the broker either, should a plan ever ask for it', async () => {
    const topic = newTopic();
    await apply('create', topic);
    expect(await failureOf(apply('grow', { ...topic, partitions: 1 }))).toMatchObject({ reason: 'TopicRefused' });
    expect((await observe(topic)).get(topic.name)?.partitions).toBe(3);
  });
});

describe('a broker that is away', () => {
  const lookAt = (server: string) => failureOf(target.observe({ brokers: brokersAt(server), topics: [newTopic()] }));

  test('is told within 10 s when it refuses to connect', async () => {
    expect(await lookAt('127.0.0.1:1')).toMatchObject({
      reason: 'BrokerUnreachable',
      message: expect.stringContaining('127.0.0.1:1: Connection error: connect ECONNREFUSED'),
    });
  });

  test('is told within 10 s when it accepts and says nothing', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const start = performance.now();
    expect(await lookAt(`127.0.0.1:${port}`)).toMatchObject({ reason: 'BrokerUnreachable' });
    expect(performance.now() - start).toBeLessThan(10_000);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test('is told by name when the name is unknown, and does not disturb another one', async () => {
    expect((await lookAt('no-such-broker.invalid:9092')).message).toMatch(
      /^no-such-broker.invalid:9092: .*(ENOTFOUND|EAI_AGAIN)/,
    );
    expect(await observe(newTopic())).toEqual(new Map());
  });
});
