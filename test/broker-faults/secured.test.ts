// Brokers and a registry that ask who a worker is: with the right answer it writes, with a wrong one it says which, and
// goes on once that is corrected, without a restart.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createAuthority } from '../controller/kube/certificate.ts';
import { type Gateway, startGateway } from '../services/registry-gateway.ts';
import { allow, Folders, mutualTls, saslSsl, setPassword, shortSessions, workerRights } from './security.ts';
import { setUp } from './set-up.ts';
import { says, writes } from './stream.ts';

const tradesPerSecond = 300;
const authority = createAuthority('k2-test');
const stranger = createAuthority('stranger');
const broker = authority.issue('broker');
const advertise = async (_id: number, port: number) => port;

let folders: Folders;
beforeEach(async () => {
  folders = await Folders.create();
});
afterEach(() => folders.remove());

async function runAuditor(environment: Record<string, string>): Promise<{ code: number | null; stderr: string }> {
  const program = new URL('../../audit/main.ts', import.meta.url).pathname;
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { code, stderr: said };
}

describe('a broker with SASL_SSL', () => {
  const properties = { ...saslSsl(broker, authority.cert, { reader: 'plain-secret' }), ...shortSessions };
  const on = setUp({ brokers: 1, properties, advertise });
  const login = { username: 'registrar', password: 'registry-secret' };
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ registryUrl: on.world.registryUrl, certificate: authority.issue('gateway'), login });
  });
  afterAll(() => gateway?.close());

  /** A worker's variables, all of them right. */
  async function right(auth: Record<string, string>): Promise<Record<string, string>> {
    return {
      K2_KAFKA_AUTH_PATH: await folders.write('kafka-auth', auth),
      K2_KAFKA_TLS_CA_PATH: await folders.write('kafka-ca', { 'ca.crt': authority.cert }),
      K2_KAFKA_SCHEMA_REGISTRY_URL: gateway.url,
      K2_KAFKA_SCHEMA_REGISTRY_AUTH_PATH: await folders.write('registry-auth', login),
      K2_KAFKA_SCHEMA_REGISTRY_TLS_CA_PATH: await folders.write('registry-ca', { 'ca.crt': authority.cert }),
    };
  }
  const allowed = (principal: string) => allow(on.world, principal, workerRights(on.stream.topics));

  test.each(['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'] as const)('takes a worker that comes with %s', async (kind) => {
    const username = kind === 'PLAIN' ? 'reader' : `worker-${kind}`;
    const password = kind === 'PLAIN' ? 'plain-secret' : 'sc=ram, secret';
    if (kind !== 'PLAIN') await setPassword(on.world, username, password, kind);
    await allowed(`User:${username}`);
    const worker = await on.stream.owner(tradesPerSecond, await right({ username, password, mechanism: kind }));
    // With SCRAM-SHA-256 it has to come with it again meanwhile, several times.
    await writes(worker, 10 * tradesPerSecond);
    await on.stream.expectEachTradeOnce(worker);
    expect(JSON.stringify(worker.log) + worker.stderr()).not.toContain(password);
  });

  test('shows k2-audit what it shows the worker whose variables it has', async () => {
    await setPassword(on.world, 'auditor', 'secret');
    await allowed('User:auditor');
    const { raw } = on.stream.topics;
    await allow(on.world, 'User:auditor', [
      ['TOPIC', raw, 'READ'],
      ['TOPIC', `${raw}.dlq`, 'READ'],
    ]);
    const variables = await right({ username: 'auditor', password: 'secret' });
    const worker = await on.stream.owner(tradesPerSecond, variables);
    await on.stream.simulator.pause();
    await on.stream.untilWritten(worker);
    const environment = { ...on.stream.topics.environment, K2_EXCHANGE: 'binance', ...variables };
    const K2_KAFKA_BOOTSTRAP_SERVERS = on.world.cluster.advertisedServers;
    const audited = await runAuditor({ ...environment, K2_KAFKA_BOOTSTRAP_SERVERS });
    expect(audited).toMatchObject({ code: 0 });
    await folders.write('kafka-auth', { password: 'wrong' });
    const refused = await runAuditor({ ...environment, K2_KAFKA_BOOTSTRAP_SERVERS });
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('SASL_AUTHENTICATION_FAILED') });
  });

  test('refuses a wrong password, and takes the right one once the file has it', async () => {
    await setPassword(on.world, 'forgetful', 'remembered');
    await allowed('User:forgetful');
    const worker = on.stream.start('first', await right({ username: 'forgetful', password: 'forgotten' }));
    await says(
      worker,
      /cannot be used: SASL_AUTHENTICATION_FAILED: .*SCRAM-SHA-512; correct what K2_KAFKA_AUTH_PATH has/,
    );
    await folders.write('kafka-auth', { password: 'remembered' });
    await writes(await on.stream.tradesFor(worker, tradesPerSecond));
    expect(JSON.stringify(worker.log) + worker.stderr()).not.toMatch(/forgotten|remembered/);
  });

  test('is not believed by a worker that trusts another authority, nor by one that expects no TLS', async () => {
    await setPassword(on.world, 'careful', 'secret');
    await allowed('User:careful');
    const variables = await right({ username: 'careful', password: 'secret' });
    await folders.write('kafka-ca', { 'ca.crt': stranger.cert });
    const worker = on.stream.start('first', variables);
    await says(
      worker,
      /cannot be used: unable to verify the first certificate; check K2_KAFKA_TLS, K2_KAFKA_TLS_CA_PATH/,
    );
    const { K2_KAFKA_TLS_CA_PATH: _, ...without } = variables;
    const open = on.stream.start('second', without);
    await says(open, /cannot be used: Connection closed; check K2_KAFKA_TLS/);
    await folders.write('kafka-ca', { 'ca.crt': authority.cert });
    await writes(await on.stream.tradesFor(worker, tradesPerSecond));
  });

  test('names the right that a worker lacks, and takes it once it has that', async () => {
    await setPassword(on.world, 'restricted', 'secret');
    const worker = on.stream.start('first', await right({ username: 'restricted', password: 'secret' }));
    await says(worker, /TOPIC_AUTHORIZATION_FAILED.*; allow the worker's user Describe, Read and Write on topic \S+/);
    const rights = workerRights(on.stream.topics);
    const onTopics = rights.filter(([type]) => type === 'TOPIC');
    await allow(
      on.world,
      'User:restricted',
      onTopics.filter(([, , operation]) => operation !== 'WRITE'),
    );
    await says(worker, /allow the worker's user Write and Describe on the transactional id, or set delivery/);
    await allow(
      on.world,
      'User:restricted',
      rights.filter(([type]) => type !== 'TOPIC'),
    );
    await says(worker, /TOPIC_AUTHORIZATION_FAILED.*allow the worker's user Write and Describe on the topic/);
    await allow(on.world, 'User:restricted', onTopics);
    await writes(await on.stream.tradesFor(worker, tradesPerSecond));
    await on.stream.expectEachTradeOnce(worker);
  });

  test('names the right that a worker lacks that writes without transactions', async () => {
    await setPassword(on.world, 'simple', 'secret');
    const rights = workerRights(on.stream.topics).filter(([, , operation]) => operation !== 'WRITE');
    await allow(on.world, 'User:simple', rights);
    const variables = { ...(await right({ username: 'simple', password: 'secret' })), K2_DELIVERY: 'AtLeastOnce' };
    const worker = on.stream.start('first', variables);
    await on.stream.simulator.setRate({ tradesPerSecond });
    await says(worker, /CLUSTER_AUTHORIZATION_FAILED/);
    await allowed('User:simple');
    await writes(worker);
  });

  test('is written to on when the password is rotated while it restarts', async () => {
    await setPassword(on.world, 'rotated', 'first');
    await allowed('User:rotated');
    const worker = await on.stream.owner(tradesPerSecond, await right({ username: 'rotated', password: 'first' }));
    await setPassword(on.world, 'rotated', 'second');
    // Connections that are there stay.
    await writes(worker);
    await on.world.cluster.stop(1, 'SIGKILL');
    await on.world.cluster.start(1);
    await says(worker, /SASL_AUTHENTICATION_FAILED/);
    await folders.write('kafka-auth', { password: 'second' });
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('is of no use beside a registry that refuses the password or is not believed', async () => {
    await setPassword(on.world, 'registered', 'secret');
    await allowed('User:registered');
    const variables = await right({ username: 'registered', password: 'secret' });
    await folders.write('registry-auth', { password: 'wrong' });
    await folders.write('registry-ca', { 'ca.crt': stranger.cert });
    const worker = on.stream.start('first', variables);
    await says(worker, /schema registry https:\S+ does not answer: unable to verify the first certificate/);
    await folders.write('registry-ca', { 'ca.crt': authority.cert });
    await says(
      worker,
      /with 401: .*Unauthorized.*; correct the username and password of K2_KAFKA_SCHEMA_REGISTRY_AUTH_PATH/,
    );
    await folders.write('registry-auth', login);
    await writes(await on.stream.tradesFor(worker, tradesPerSecond));
  });
});

describe('a broker that asks for a certificate', () => {
  const on = setUp({ brokers: 1, properties: mutualTls(broker, authority.cert), advertise });

  async function withCertificate(pair: { key: string; cert: string }): Promise<Record<string, string>> {
    return {
      K2_KAFKA_TLS_CA_PATH: await folders.write('kafka-ca', { 'ca.crt': authority.cert }),
      K2_KAFKA_TLS_CERTIFICATE_PATH: await folders.write('kafka-certificate', filesOf(pair)),
    };
  }
  const filesOf = ({ key, cert }: { key: string; cert: string }) => ({ 'tls.crt': cert, 'tls.key': key });

  test('takes a worker by its name in the certificate', async () => {
    await allow(on.world, 'User:CN=worker', workerRights(on.stream.topics));
    const worker = await on.stream.owner(tradesPerSecond, await withCertificate(authority.issue('worker')));
    await writes(worker);
    await on.stream.expectEachTradeOnce(worker);
  });

  test('refuses one that is expired, one of another authority, and none; and takes the right one', async () => {
    await allow(on.world, 'User:CN=worker', workerRights(on.stream.topics));
    const expired = authority.issue('worker', new Date('2021-01-01T00:00:00Z'));
    const worker = on.stream.start('first', await withCertificate(expired));
    await says(worker, /cannot be used: .*certificate.*; check K2_KAFKA_TLS, .*K2_KAFKA_TLS_CERTIFICATE_PATH/);
    await folders.write('kafka-certificate', filesOf(stranger.issue('worker')));
    await says(worker, /cannot be used: .*(unknown ca|certificate unknown).*; check K2_KAFKA_TLS/i);
    const { K2_KAFKA_TLS_CERTIFICATE_PATH: _, ...without } = await withCertificate(expired);
    const nameless = on.stream.start('second', without);
    await says(nameless, /cannot be used: .*(certificate required|bad certificate).*; check K2_KAFKA_TLS/i);
    await folders.write('kafka-certificate', filesOf(authority.issue('worker')));
    await writes(await on.stream.tradesFor(worker, tradesPerSecond));
  });
});
