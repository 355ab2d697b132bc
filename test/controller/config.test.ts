import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseControllerConfig, variables } from '../../controller/config.ts';

const least = {
  K2_KAFKA_BOOTSTRAP_SERVERS: 'redpanda-0:9092,redpanda-1:9092',
  K2_KAFKA_SCHEMA_REGISTRY_URL: 'http://redpanda:8081',
  K2_WORKER_IMAGE: 'k2/worker:1',
};

test('a configuration of only what has no default gives the rest', () => {
  expect(parseControllerConfig(least)).toEqual({
    bootstrapServers: ['redpanda-0:9092', 'redpanda-1:9092'],
    kafkaAuthSecret: undefined,
    kafkaTls: false,
    kafkaCaSecret: undefined,
    kafkaCertificateSecret: undefined,
    schemaRegistryUrl: 'http://redpanda:8081',
    registryAuthSecret: undefined,
    registryCaSecret: undefined,
    workerImage: 'k2/worker:1',
    workerImagePullPolicy: 'IfNotPresent',
    watchNamespace: undefined,
    leaderElection: true,
    leaseName: 'k2-feed-operator',
    leaseNamespace: undefined,
    schemaPath: 'schemas',
    httpPort: 8080,
    logLevel: 'info',
  });
});

test('a configuration of the examples is right', () => {
  const examples = Object.values(variables).map(({ name, example }) => [name, example]);
  expect(parseControllerConfig(Object.fromEntries(examples))).toMatchObject({ watchNamespace: 'market-data' });
});

describe('a bad value is told in one line with the variable, the value and an example:', () => {
  test.each([
    ['K2_KAFKA_BOOTSTRAP_SERVERS', undefined, 'is not set; for example K2_KAFKA_BOOTSTRAP_SERVERS=redpanda-0:9092'],
    ['K2_KAFKA_BOOTSTRAP_SERVERS', 'redpanda', "'redpanda' is not host:port"],
    ['K2_KAFKA_SCHEMA_REGISTRY_URL', 'redpanda:8081', "'redpanda:8081' is not a http: or https: URL"],
    ['K2_WORKER_IMAGE', '', 'is not set; for example K2_WORKER_IMAGE='],
    ['K2_WORKER_IMAGE', 'a b', "'a b' has a space in it"],
    ['K2_WORKER_IMAGE_PULL_POLICY', 'Sometimes', "'Sometimes' is not one of Always, IfNotPresent, Never"],
    ['K2_WATCH_NAMESPACE', 'a,b', "'a,b' is not the name of one namespace"],
    ['K2_LEADER_ELECTION', 'yes', "'yes' is neither true nor false"],
    ['K2_LEASE_NAME', 'K2', "'K2' is not the name of a Lease"],
    ['K2_LEASE_NAMESPACE', 'a,b', "'a,b' is not the name of one namespace"],
    ['K2_HTTP_PORT', '65536', "'65536' is not a port"],
    ['K2_LOG_LEVEL', 'loud', "'loud' is not one of debug, info, warn, error"],
  ])('%s=%s', (name, value, problem) => {
    const parse = () => parseControllerConfig({ ...least, [name]: value });
    expect(parse).toThrow(`${name}: ${problem}`);
    expect(parse).toThrow(/^[^\n]+$/);
  });
});

test('the reference lists exactly the variables there are', () => {
  const page = readFileSync(new URL('../../docs/reference/controller-configuration.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `K2_'));
  const wanted = Object.values(variables).map(({ name, example, doc }) => `| \`${name}\` | \`${example}\` | ${doc} |`);
  expect(rows).toEqual(wanted);
});
