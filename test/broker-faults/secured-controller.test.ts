// The controller's targets on brokers and a registry that ask who it is: what it may do it does, and what it may not is
// told in their words, as a failure that belongs to the Secret and not to the network.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KafkaAccess, RegistryAccess } from '../../api/secrets.ts';
import type { Brokers, RegistryPlace } from '../../controller/access.ts';
import type { Topic } from '../../controller/desired.ts';
import type { TargetError } from '../../controller/errors.ts';
import { createSubjectsTarget } from '../../controller/targets/subjects.ts';
import { createTopicsTarget } from '../../controller/targets/topics.ts';
import { createLogger } from '../../runtime/log.ts';
import { createAuthority } from '../controller/kube/certificate.ts';
import { ledgerInMemory } from '../controller/ledger-in-memory.ts';
import { type Gateway, startGateway } from '../services/registry-gateway.ts';
import { allow, saslSsl, setPassword } from './security.ts';
import { startWorld, type World } from './world.ts';

const authority = createAuthority('k2-test');
const stranger = createAuthority('stranger');
const login = { username: 'controller', password: 'registry-secret' };
const options = { ledger: ledgerInMemory(), log: createLogger('silent', 'test'), nowMs: () => performance.now() };
const topics = createTopicsTarget(options);
const subjects = createSubjectsTarget(options);

let world: World;
let gateway: Gateway;
beforeAll(async () => {
  const properties = saslSsl(authority.issue('broker'), authority.cert, { reader: 'plain-secret' });
  world = await startWorld({ brokers: 1, properties, advertise: async (_id, port) => port });
  gateway = await startGateway({ registryUrl: world.registryUrl, certificate: authority.issue('gateway'), login });
});
afterAll(async () => {
  await topics.close();
  gateway?.close();
  await world?.close();
});

let versions = 0;
/** Of another version each time, as after a rotation. */
const brokersWith = (access: KafkaAccess): Brokers => ({
  servers: world.cluster.advertisedServers.split(','),
  access,
  key: 'brokers',
  version: String(++versions),
});
const scram = (username: string, password: string): KafkaAccess => ({
  tls: { ca: authority.cert },
  sasl: { mechanism: 'SCRAM-SHA-512', username, password },
});
const topic: Topic = {
  name: 'secured',
  content: 'Normalized',
  partitions: 2,
  replicationFactor: 1,
  config: { 'retention.ms': '3600000' },
  initialConfig: {},
};
const observe = (access: KafkaAccess) => topics.observe({ brokers: brokersWith(access), topics: [topic] });
const failureOf = (work: Promise<unknown>): Promise<TargetError> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );
const rights = ['CREATE', 'DESCRIBE', 'DESCRIBE_CONFIGS', 'ALTER', 'ALTER_CONFIGS'] as const;

test('topics are made, grown and configured by who may, whatever the mechanism', async () => {
  await setPassword(world, 'owner', 'secret');
  await setPassword(world, 'owner', 'secret', 'SCRAM-SHA-256');
  const own = rights.map((right) => ['TOPIC', topic.name, right] as const);
  await allow(world, 'User:owner', own);
  await allow(world, 'User:reader', own);
  const brokers = brokersWith(scram('owner', 'secret'));
  await topics.apply({ brokers, topics: [topic] }, { target: 'topics', kind: 'create', topics: [topic] });
  const grown = { ...topic, partitions: 3, config: { 'retention.ms': '7200000' } };
  await topics.apply({ brokers, topics: [grown] }, { target: 'topics', kind: 'grow', topics: [grown] });
  await topics.apply({ brokers, topics: [grown] }, { target: 'topics', kind: 'configure', topics: [grown] });
  const sasl = { username: 'owner', password: 'secret', mechanism: 'SCRAM-SHA-256' } as const;
  const plain = { username: 'reader', password: 'plain-secret', mechanism: 'PLAIN' } as const;
  for (const one of [sasl, plain]) {
    const seen = await observe({ tls: { ca: authority.cert }, sasl: one });
    expect(seen.get(topic.name)).toMatchObject({ partitions: 3, config: { 'retention.ms': '7200000' } });
  }
});

test('a wrong password is told in the words of the broker, and the right one is taken at once', async () => {
  await setPassword(world, 'rotated', 'first');
  await allow(world, 'User:rotated', [['TOPIC', topic.name, 'DESCRIBE']]);
  const failure = await failureOf(observe(scram('rotated', 'wrong')));
  expect(failure.reason).toBe('AuthFailed');
  expect(failure.message).toMatch(/^127\.0\.0\.1:\d+: SASL SCRAM SHA512 authentication failed: .*invalid credentials/);
  expect(failure.message).not.toContain('wrong');
  await failureOf(observe(scram('nobody', 'first'))).then(({ reason }) => expect(reason).toBe('AuthFailed'));
  const missing = await failureOf(observe(scram('rotated', 'first')));
  // It is let in; what it may not is the next question.
  expect(missing.message).toMatch(/TOPIC_AUTHORIZATION_FAILED|[Nn]ot authorized/);
});

test('a broker that is not believed, or that wants TLS, is no broker that is away', async () => {
  const { sasl } = scram('owner', 'secret');
  const unknown = await failureOf(observe({ tls: { ca: stranger.cert }, sasl }));
  expect(unknown).toMatchObject({ reason: 'AuthFailed' });
  expect(unknown.message).toContain('unable to verify the first certificate');
  const untrusted = await failureOf(observe({ tls: {}, sasl }));
  expect(untrusted).toMatchObject({ reason: 'AuthFailed' });
});

test('a right that is missing is told in the words of the broker', async () => {
  await setPassword(world, 'poor', 'secret');
  const brokers = brokersWith(scram('poor', 'secret'));
  const unseen = await failureOf(topics.observe({ brokers, topics: [topic] }));
  expect(unseen).toMatchObject({ reason: 'AuthFailed', message: expect.stringMatching(/authorized/i) });
  const wanted = { ...topic, name: 'not-to-be-made' };
  await allow(world, 'User:poor', [['TOPIC', wanted.name, 'DESCRIBE']]);
  const create = () =>
    failureOf(topics.apply({ brokers, topics: [wanted] }, { target: 'topics', kind: 'create', topics: [wanted] }));
  expect(await create()).toMatchObject({ reason: 'AuthFailed' });
  // A broker hears of a new right a little later; then the topic is shown, and may still not be made.
  await expect
    .poll(async () => (await create()).message)
    .toMatch(/^create not-to-be-made: not-to-be-made: .*authorized/i);
  expect(await create()).toMatchObject({ reason: 'AuthFailed' });
});

const placeWith = (access: RegistryAccess): RegistryPlace => ({
  url: gateway.url,
  access,
  key: 'registry',
  version: String(++versions),
});
const subject = { name: 'secured-value', schema: '"string"' };

test('subjects are registered at a registry with TLS and a password', async () => {
  const registry = placeWith({ ca: authority.cert, login });
  const desired = { registry, subjects: [subject] };
  await subjects.apply(desired, { target: 'subjects', kind: 'register', subjects: [subject] });
  expect((await subjects.observe({ registry, subjects: [subject] })).has(subject.name)).toBe(true);
});

test.each([
  ['a wrong password', { ca: authority.cert, login: { ...login, password: 'wrong' } }, /Unauthorized/],
  ['no password', { ca: authority.cert, login: null }, /Unauthorized/],
  ['another authority', { ca: stranger.cert, login }, /unable to verify the first certificate/],
])('a registry is not reached with %s, and says why', async (_, access, words) => {
  const failure = await failureOf(subjects.observe({ registry: placeWith(access), subjects: [subject] }));
  expect(failure).toMatchObject({ reason: 'RegistryAuthFailed', message: expect.stringMatching(words) });
});
