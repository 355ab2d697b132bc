// What the controller's topics target says while a broker hides a topic, hangs or is gone, and that it recovers by
// itself.
import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openKafka } from '../../api/secrets.ts';
import type { Topic } from '../../controller/desired.ts';
import type { TargetError } from '../../controller/errors.ts';
import { createTopicsTarget, type TopicsTarget } from '../../controller/targets/topics.ts';
import { createLogger } from '../../runtime/log.ts';
import { until } from '../cluster/until.ts';
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

/** Nobody may see the topic until the function that comes back is called. */
async function hide({ name }: Topic): Promise<() => Promise<unknown>> {
  const rule = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: name,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:ANONYMOUS',
    host: '*',
    operation: AclOperationTypes.DESCRIBE,
    permissionType: AclPermissionTypes.DENY,
  };
  await admin.createAcls({ acl: [rule] });
  return () => admin.deleteAcls({ filters: [rule] });
}

test('a topic that may not be seen is told in the words of the broker, and seen again once it may be', async () => {
  const [secret, open] = [newTopic(), newTopic()];
  await create(secret, open);
  const allow = await hide(secret);
  // A broker applies a rule a moment after it has taken it.
  const refused = await until('the rule to hold', 10_000, async () => {
    const [topics] = await Promise.allSettled([target.observe(desired(secret))]);
    return topics?.status === 'rejected' ? (topics.reason as TargetError) : undefined;
  });
  expect(refused.message).toMatch(new RegExp(`^look at ${secret.name}: Not authorized to access topics`));
  expect((await target.observe(desired(open))).has(open.name)).toBe(true);
  await allow();
  const seen = await until('the rule to be gone', 10_000, async () => {
    const [topics] = await Promise.allSettled([target.observe(desired(secret))]);
    return topics?.status === 'fulfilled' ? topics.value : undefined;
  });
  expect(seen.has(secret.name)).toBe(true);
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
