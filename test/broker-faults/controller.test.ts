// What the controller's topics target says while a broker forbids, hangs or is gone, and that it recovers by itself.
import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openKafka } from '../../api/secrets.ts';
import type { Topic } from '../../controller/desired.ts';
import type { TargetError } from '../../controller/errors.ts';
import { createTopicsTarget, type TopicsTarget } from '../../controller/targets/topics.ts';
import { createLogger } from '../../runtime/log.ts';
import { ledgerInMemory } from '../controller/ledger-in-memory.ts';
import { startWorld, type World } from './world.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } = kafkajs;

const authorizer = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};

let world: World;
let admin: Admin;
let target: TopicsTarget;
let count = 0;

beforeAll(async () => {
  world = await startWorld({ brokers: 1, properties: authorizer });
  admin = new Kafka({ brokers: world.cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const log = createLogger('silent', 'test');
  target = createTopicsTarget({ ledger: ledgerInMemory(), log, nowMs: () => performance.now() });
});

afterEach(() => world.heal());

afterAll(async () => {
  await target?.close();
  await admin?.disconnect();
  await world?.close();
});

const newTopic = (): Topic => ({
  name: `controller-${++count}`,
  content: 'Normalized',
  partitions: 1,
  replicationFactor: 1,
  config: { 'retention.ms': '3600000' },
  initialConfig: {},
});

function desired(...topics: Topic[]) {
  const servers = world.cluster.bootstrapServers.split(',');
  return { brokers: { servers, access: openKafka, key: servers.join(), version: '' }, topics };
}

const create = (...topics: Topic[]) => target.apply(desired(...topics), { target: 'topics', kind: 'create', topics });
const failureOf = (work: Promise<unknown>): Promise<TargetError> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );

/** Nobody may do this with the topic until the function that comes back is called. */
async function deny(topic: Topic, operation: number): Promise<() => Promise<unknown>> {
  const rule = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic.name,
    principal: 'User:ANONYMOUS',
    host: '*',
    operation,
    permissionType: AclPermissionTypes.DENY,
  };
  await admin.createAcls({ acl: [{ ...rule, resourcePatternType: ResourcePatternTypes.LITERAL }] });
  return () => admin.deleteAcls({ filters: [{ ...rule, resourcePatternType: ResourcePatternTypes.LITERAL }] });
}

describe('a broker that forbids', () => {
  test('to see a topic is quoted to the feed that wants it, others see theirs, and it passes with the rule', async () => {
    const [secret, open] = [newTopic(), newTopic()];
    await create(secret, open);
    const allow = await deny(secret, AclOperationTypes.DESCRIBE);
    const [refused, seen] = await Promise.all([
      failureOf(target.observe(desired(secret))),
      target.observe(desired(open)),
    ]);
    expect(refused.message).toMatch(new RegExp(`^look at ${secret.name}: Not authorized to access topics`));
    expect(seen.has(open.name)).toBe(true);
    await allow();
    expect((await target.observe(desired(secret))).has(secret.name)).toBe(true);
  });

  test('to make a topic is quoted, and the topic is made once it may be', async () => {
    const topic = newTopic();
    const allow = await deny(topic, AclOperationTypes.CREATE);
    expect((await failureOf(create(topic))).message).toMatch(new RegExp(`^create ${topic.name}: Not authorized`));
    await allow();
    await create(topic);
    expect((await target.made(desired(topic))).has(topic.name)).toBe(true);
  });

  test('to delete a topic is quoted, and the ledger keeps it until it is gone', async () => {
    const topic = newTopic();
    await create(topic);
    const allow = await deny(topic, AclOperationTypes.DELETE);
    const refused = await failureOf(target.remove(desired(topic), [topic.name]));
    expect(refused.message).toMatch(new RegExp(`^delete ${topic.name}: Not authorized`));
    expect((await target.made(desired(topic))).has(topic.name)).toBe(true);
    await allow();
    await target.remove(desired(topic), [topic.name]);
    expect((await target.made(desired(topic))).size).toBe(0);
  });
});

describe('a broker that', () => {
  test('is gone is told, and found again when it is back', async () => {
    const topic = newTopic();
    await create(topic);
    await world.cluster.stop(1, 'SIGKILL');
    expect(await failureOf(target.observe(desired(topic)))).toMatchObject({ reason: 'BrokerUnreachable' });
    await world.cluster.start(1);
    expect((await target.observe(desired(topic))).has(topic.name)).toBe(true);
  });

  test('hangs is told within 10 s, and does not keep a deletion either', async () => {
    const topic = newTopic();
    await create(topic);
    world.cluster.pause(1);
    const startMs = performance.now();
    const failures = await Promise.all([
      failureOf(target.observe(desired(topic))),
      failureOf(target.remove(desired(topic), [topic.name])),
    ]);
    expect(failures.map(({ reason }) => reason)).toEqual(['BrokerUnreachable', 'BrokerUnreachable']);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    world.cluster.resume(1);
    expect((await target.observe(desired(topic))).has(topic.name)).toBe(true);
  });
});
