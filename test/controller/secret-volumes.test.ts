import { describe, expect, test } from 'vitest';
import { parseWorkerConfig } from '../../api/worker-config.ts';
import { type Access, openAccess } from '../../controller/access.ts';
import { desire } from '../../controller/desired.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

interface PodTemplate {
  metadata: { annotations?: Record<string, string> };
  spec: {
    securityContext: { fsGroup?: number };
    volumes?: { name: string; secret: { secretName: string; defaultMode: number; items: object[] } }[];
    containers: { env: { name: string; value?: string }[]; volumeMounts?: object[] }[];
  };
}

const templateOf = (access?: Access): PodTemplate => {
  const [deployment] = desire(sampleFeed(), config, schemas, access).workload.deployments;
  return deployment?.spec.template as PodTemplate;
};
const environmentOf = ({ spec }: PodTemplate) =>
  Object.fromEntries((spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));

const mounted: Access = {
  ...openAccess,
  kafka: { tls: { ca: 'CA' }, sasl: { mechanism: 'PLAIN', username: 'worker', password: 'do-not-tell' } },
  mounts: [
    { use: 'kafka-auth', secretName: 'kafka', keys: ['username', 'password'] },
    { use: 'kafka-ca', secretName: 'cluster', keys: ['ca.crt'] },
  ],
  hash: 'abc',
};

describe('the pods of a feed', () => {
  test('that names no Secret are as if there were none', () => {
    const template = templateOf();
    expect(template).toEqual(templateOf(openAccess));
    expect(template.metadata.annotations).toBeUndefined();
    expect(template.spec.volumes).toBeUndefined();
    expect(template.spec.securityContext.fsGroup).toBeUndefined();
    expect(environmentOf(template)).not.toHaveProperty('K2_KAFKA_TLS');
  });

  test('have its Secrets as files that only the worker can read, with no other key', () => {
    const { metadata, spec } = templateOf(mounted);
    expect(spec.volumes).toEqual([
      {
        name: 'kafka-auth',
        secret: {
          secretName: 'kafka',
          defaultMode: 0o440,
          optional: false,
          items: [
            { key: 'username', path: 'username' },
            { key: 'password', path: 'password' },
          ],
        },
      },
      {
        name: 'kafka-ca',
        secret: {
          secretName: 'cluster',
          defaultMode: 0o440,
          optional: false,
          items: [{ key: 'ca.crt', path: 'ca.crt' }],
        },
      },
    ]);
    expect(spec.containers[0]?.volumeMounts).toEqual([
      { name: 'kafka-auth', mountPath: '/etc/k2/kafka-auth', readOnly: true },
      { name: 'kafka-ca', mountPath: '/etc/k2/kafka-ca', readOnly: true },
    ]);
    expect(spec.securityContext.fsGroup).toBe(1000);
    expect(metadata.annotations).toEqual({ 'feeds.k2.dev/secrets': 'abc' });
  });

  test('are told where their Secrets are, and nothing that is in them', () => {
    const template = templateOf(mounted);
    const told = parseWorkerConfig(environmentOf(template));
    expect(told).toMatchObject({
      kafkaAuthPath: '/etc/k2/kafka-auth',
      kafkaCaPath: '/etc/k2/kafka-ca',
      kafkaCertificatePath: undefined,
      registryAuthPath: undefined,
    });
    expect(JSON.stringify(template)).not.toContain('do-not-tell');
  });

  test('use TLS where only that is asked for', () => {
    const template = templateOf({ ...openAccess, kafka: { tls: {}, sasl: null } });
    expect(parseWorkerConfig(environmentOf(template)).kafkaTls).toBe(true);
    expect(template.spec.volumes).toBeUndefined();
  });

  test('are others once a Secret is rotated', () => {
    expect(templateOf({ ...mounted, hash: 'def' })).not.toEqual(templateOf(mounted));
  });
});
