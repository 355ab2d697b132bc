// Values that Helm must refuse, each with words that name it and what would be right.
import { describe, expect, test } from 'vitest';
import { missing, refusal, required } from './helm.ts';

describe.skipIf(missing !== null)('values', () => {
  test('that are right are not refused', () => {
    expect(refusal({ ...required })).toBe('');
  });

  test.each([
    [{}, /kafka\.bootstrapServers is not set: name the brokers/],
    [{ 'kafka.bootstrapServers': 'redpanda:9092' }, /schemaRegistry\.url is not set: name a registry/],
    [
      { ...required, 'serviceAccount.create': false },
      /serviceAccount\.name is not set: with serviceAccount\.create=false/,
    ],
  ])('that are missing are asked for by name: %j', (values, message) => {
    expect(refusal(values)).toMatch(message);
  });

  // Helm's words for a breach of the schema differ a little between its versions.
  test.each([
    [{ 'kafka.bootstrapServer': 'a:1' }, /kafka.*bootstrapServer\b.*not allowed/],
    [{ kafak: {} }, /kafak.*not allowed/],
    [{ 'networkPolicy.workers.namespace': 'a' }, /networkPolicy.workers.*namespace\b.*not allowed/],
    [{ 'image.pullSecrets': [] }, /image.*pullSecrets\b.*not allowed/],
    [{ extraEnv: [{ name: 'A', values: 'b' }] }, /extraEnv.*values\b.*not allowed/],
  ])('with a name that is none are refused: %j', (values, message) => {
    expect(refusal({ ...required, ...values })).toMatch(message);
  });

  test.each([
    [{ 'kafka.bootstrapServers': 'redpanda' }, /kafka.bootstrapServers.*does not match/i],
    [{ 'schemaRegistry.url': 'redpanda:8081' }, /schemaRegistry.url.*does not match/i],
    [{ 'kafka.authSecretName': 'Not_A_Name' }, /kafka.authSecretName.*does not match/i],
    [{ watchNamespace: 'a,b' }, /watchNamespace.*does not match/i],
    [{ logLevel: 'trace' }, /logLevel.*must be one of.*debug.*info.*warn.*error/],
    [{ 'image.digest': 'sha256:12' }, /image.digest.*does not match/i],
    [{ 'image.registry': 'ghcr.io/somebody' }, /image.registry.*does not match/i],
    [{ 'image.pullPolicy': 'Sometimes' }, /image.pullPolicy.*must be one of.*Always/],
    [{ replicaCount: '2' }, /replicaCount.*(integer|string)/i],
    [{ replicaCount: 11 }, /replicaCount.*10/],
    [{ 'networkPolicy.kafka.ports': [70000] }, /networkPolicy.kafka.ports.*65,?535/],
    [{ 'networkPolicy.apiServer.ports': [] }, /networkPolicy.apiServer.ports.*1/],
    [{ 'crds.keep': 'yes' }, /crds.keep.*boolean/i],
    [{ extraArgs: [1] }, /extraArgs.*string/i],
    [{ extraVolumes: [{}] }, /extraVolumes.*name/],
    [{ kafka: null }, /kafka/],
  ])('of another form or type are refused: %j', (values, message) => {
    expect(refusal({ ...required, ...values })).toMatch(message);
  });

  test.each([
    [{ replicaCount: 2, 'leaderElection.enabled': false }, /replicaCount=2 needs leaderElection\.enabled=true/],
    [
      { 'strategy.type': 'RollingUpdate', 'leaderElection.enabled': false },
      /strategy\.type=RollingUpdate needs leaderElection\.enabled=true/,
    ],
    [{ 'podDisruptionBudget.enabled': true }, /podDisruptionBudget\.enabled=true needs a replicaCount of 2 or more/],
    [
      { replicaCount: 2, 'podDisruptionBudget.minAvailable': 0, 'podDisruptionBudget.maxUnavailable': 1 },
      /minAvailable and \.maxUnavailable are both set/,
    ],
    [{ 'kafka.tls.caSecretName': 'ca' }, /kafka\.tls names a Secret and kafka\.tls\.enabled is false/],
    [{ 'schemaRegistry.tls.caSecretName': 'ca' }, /schemaRegistry\.url=http:\/\/redpanda:8081 is not https/],
  ])('that contradict each other are refused: %j', (values, message) => {
    expect(refusal({ ...required, ...values })).toMatch(message);
  });
});
