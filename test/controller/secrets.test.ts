import { describe, expect, test } from 'vitest';
import type { ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import type { SecretDefaults } from '../../controller/access.ts';
import { KubeError } from '../../controller/kube/errors.ts';
import type { Method } from '../../controller/kube/transport.ts';
import { createSecretIndex, createSecretReader } from '../../controller/secrets.ts';
import { createAuthority } from './kube/certificate.ts';
import { config, sampleFeed } from './sample-feed.ts';

const authority = createAuthority('test');

/** What the API server has of Secrets in the feed's namespace, and what is asked of it. */
function createStore(defaults: SecretDefaults = config) {
  const stored = new Map<string, { resourceVersion: string; data: Record<string, string> }>();
  const asked: string[] = [];
  let version = 0;
  const reader = createSecretReader({
    transport: {
      async request<T>(method: Method, path: string): Promise<T> {
        asked.push(`${method} ${path}`);
        const secret = stored.get(path.split('/').at(-1) ?? '');
        if (secret === undefined) throw new KubeError(404, 'NotFound', `${method} ${path}: not found`);
        const base64 = Object.entries(secret.data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
        return { metadata: { resourceVersion: secret.resourceVersion }, data: Object.fromEntries(base64) } as T;
      },
    },
    defaults,
    versionOf: (key) => stored.get(key.replace('market-data/', ''))?.resourceVersion ?? null,
  });
  return {
    asked,
    read: (spec: Partial<ExchangeFeedSpec>) => reader.read(sampleFeed(spec)),
    set: (name: string, data: Record<string, string>) =>
      void stored.set(name, { resourceVersion: String(++version), data }),
    remove: (name: string) => void stored.delete(name),
  };
}

const withLogin: Partial<ExchangeFeedSpec> = { kafka: { authSecretRef: { name: 'kafka' } } };

describe('the Secrets of a feed', () => {
  test('are not asked for where it names none', async () => {
    const store = createStore();
    expect(await store.read({})).toEqual({
      kafka: { tls: null, sasl: null },
      registry: { ca: null, login: null },
      mounts: [],
      hash: '',
    });
    expect((await store.read({ kafka: { tls: {} } })).kafka.tls).toEqual({});
    expect(store.asked).toEqual([]);
  });

  test('give its connections what they say', async () => {
    const store = createStore();
    const certificate = authority.issue('worker');
    store.set('kafka', { username: 'worker', password: 'secret', mechanism: 'PLAIN' });
    store.set('ca', { 'ca.crt': authority.cert });
    store.set('worker', { 'tls.crt': certificate.cert, 'tls.key': certificate.key, 'ca.crt': authority.cert });
    store.set('registry', { username: 'worker', password: 'other' });
    const tls = { caSecretRef: { name: 'ca' }, certificateSecretRef: { name: 'worker' } };
    const access = await store.read({
      kafka: { authSecretRef: { name: 'kafka' }, tls },
      schemaRegistry: { authSecretRef: { name: 'registry' }, tls: { caSecretRef: { name: 'ca' } } },
    });
    expect(access.kafka).toEqual({
      tls: { ca: authority.cert, cert: certificate.cert, key: certificate.key },
      sasl: { mechanism: 'PLAIN', username: 'worker', password: 'secret' },
    });
    expect(access.registry).toEqual({ ca: authority.cert, login: { username: 'worker', password: 'other' } });
    expect(access.mounts).toEqual([
      { use: 'kafka-auth', secretName: 'kafka', keys: ['username', 'password', 'mechanism'] },
      { use: 'kafka-ca', secretName: 'ca', keys: ['ca.crt'] },
      { use: 'kafka-certificate', secretName: 'worker', keys: ['tls.crt', 'tls.key'] },
      { use: 'registry-auth', secretName: 'registry', keys: ['username', 'password'] },
      { use: 'registry-ca', secretName: 'ca', keys: ['ca.crt'] },
    ]);
  });

  test('are read once for each version', async () => {
    const store = createStore();
    store.set('kafka', { username: 'worker', password: 'secret' });
    await Promise.all([store.read(withLogin), store.read(withLogin)]);
    await store.read(withLogin);
    expect(store.asked).toHaveLength(1);
    store.set('kafka', { username: 'worker', password: 'rotated' });
    expect((await store.read(withLogin)).kafka.sasl?.password).toBe('rotated');
    expect(store.asked).toHaveLength(2);
  });

  test('have a hash that changes with what is used of them, and with nothing else', async () => {
    const store = createStore();
    const hash = async () => (await store.read(withLogin)).hash;
    store.set('kafka', { username: 'worker', password: 'secret' });
    const before = await hash();
    store.set('kafka', { username: 'worker', password: 'secret', note: 'of another program' });
    expect(await hash()).toBe(before);
    store.set('kafka', { username: 'worker', password: 'rotated' });
    expect(await hash()).not.toBe(before);
    store.set('kafka', { username: 'worker', password: 'secret' });
    expect(await hash()).toBe(before);
    expect(before).not.toBe('');
  });

  test("are the controller's where the feed names neither Secrets nor brokers of its own", async () => {
    const store = createStore({ ...config, kafkaTls: true, kafkaAuthSecret: 'shared', registryCaSecret: 'shared-ca' });
    store.set('shared', { username: 'all', password: 'secret' });
    store.set('shared-ca', { 'ca.crt': authority.cert });
    store.set('own', { username: 'one', password: 'secret' });
    const usersOf = async (spec: Partial<ExchangeFeedSpec>) => {
      const { kafka, registry } = await store.read(spec);
      return [kafka.tls !== null, kafka.sasl?.username, registry.ca !== null];
    };
    expect(await usersOf({})).toEqual([true, 'all', true]);
    expect(await usersOf({ kafka: { authSecretRef: { name: 'own' } } })).toEqual([true, 'one', true]);
    expect(await usersOf({ kafka: { bootstrapServers: 'other:9092' } })).toEqual([false, undefined, true]);
    expect(await usersOf({ schemaRegistry: { url: 'https://other' } })).toEqual([true, 'all', false]);
    store.remove('shared');
    await expect(usersOf({})).rejects.toMatchObject({
      reason: 'SecretMissing',
      message: "Secret shared, named by the controller's configuration, is not in namespace market-data",
    });
  });

  test('that are missing, or lack a key, are named with the field that names them', async () => {
    const store = createStore();
    await expect(store.read(withLogin)).rejects.toMatchObject({
      reason: 'SecretMissing',
      message: 'Secret kafka, named by kafka.authSecretRef, is not in namespace market-data',
    });
    expect(store.asked).toEqual([]);
    store.set('kafka', { username: 'worker' });
    await expect(store.read(withLogin)).rejects.toMatchObject({
      reason: 'SecretInvalid',
      message: expect.stringMatching(
        /^Secret kafka, named by kafka.authSecretRef, has no "password"; its keys must be/,
      ),
    });
    store.set('kafka', { username: 'worker', password: 'secret' });
    expect((await store.read(withLogin)).kafka.sasl?.username).toBe('worker');
    store.remove('kafka');
    await expect(store.read(withLogin)).rejects.toMatchObject({ reason: 'SecretMissing' });
  });
});

test('the index knows which feeds name a Secret now', () => {
  const index = createSecretIndex();
  index.set('ns/a', ['ns/kafka', 'ns/ca']);
  index.set('ns/b', ['ns/kafka']);
  expect(index.feedsOf('ns/kafka')).toEqual(['ns/a', 'ns/b']);
  index.set('ns/a', ['ns/ca']);
  expect(index.feedsOf('ns/kafka')).toEqual(['ns/b']);
  index.set('ns/b', []);
  expect(index.feedsOf('ns/kafka')).toEqual([]);
  expect(index.feedsOf('ns/ca')).toEqual(['ns/a']);
});
