// What the other tests on a real API server rely on.
import { readFile } from 'node:fs/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KubeError, TransportError } from '../../controller/kube/errors.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { until } from '../cluster/until.ts';
import { type AuditEvent, ControlPlane } from './control-plane.ts';

/** A busy machine's time for what takes an idle one a second. */
const slowMs = 60_000;
const controllers = ['deployment-controller', 'replicaset-controller', 'serviceaccount-controller'];
const feedsPath = '/apis/feeds.k2.dev/v1alpha1/namespaces/default/exchangefeeds';

let plane: ControlPlane;
let transport: Transport;

beforeAll(async () => {
  plane = await ControlPlane.start({ controllers });
  transport = createTransport(plane.kubeConfig, { userAgent: 'control-plane-test' });
});

afterAll(async () => {
  await transport?.close();
  await plane?.close();
});

const feed = (name: string, exchange: string) => ({
  apiVersion: 'feeds.k2.dev/v1alpha1',
  kind: 'ExchangeFeed',
  metadata: { name, namespace: 'default' },
  spec: { exchange, symbols: ['BTCUSDT'] },
});

const names = async () =>
  (await transport.request<{ items: { metadata: { name: string } }[] }>('GET', feedsPath)).items.map(
    ({ metadata: { name } }) => name,
  );

test('a feed can be applied from the start, a wrong one is refused, and our transport sees what there is', async () => {
  await plane.apply(feed('first', 'binance'));
  await expect(plane.apply(feed('wrong', 'no-such-exchange'))).rejects.toThrow(
    /spec\.exchange: Unsupported value: "no-such-exchange"/,
  );
  expect(await names()).toEqual(['first']);
});

test('a Deployment gets its Pods, although nothing runs them', async () => {
  await plane.kubectl('create', 'deployment', 'idle', '--image=nothing', '--replicas=2');
  const pods = await until('two Pods', slowMs, async () => {
    const listed = (await plane.kubectl('get', 'pods', '-l', 'app=idle', '-o', 'name')).trim().split('\n');
    return listed.length === 2 ? listed : undefined;
  });
  expect(pods).toHaveLength(2);
});

test('a killed API server starts again with what it had', async () => {
  await plane.kill('kube-apiserver');
  await expect(transport.request('POST', feedsPath, { body: {} })).rejects.toThrow(TransportError);
  await plane.start('kube-apiserver');
  expect(await names()).toEqual(['first']);
});

test('a paused API server answers nothing until it is resumed', async () => {
  plane.pause('kube-apiserver');
  const asked = transport.request('POST', feedsPath, { body: {}, timeoutMs: 500 });
  const refusal = await asked.catch((error: unknown) => error);
  plane.resume('kube-apiserver');
  expect(refusal).toBeInstanceOf(TransportError);
  expect(await names()).toEqual(['first']);
});

test('history that was compacted away is gone for a watch, once the API server has started again', async () => {
  const before = await transport.request<{ metadata: { resourceVersion: string } }>('GET', feedsPath);
  await plane.apply(feed('second', 'bybit'));
  await plane.compact();
  await plane.kill('kube-apiserver');
  await plane.start('kube-apiserver');
  // Until it has read the feeds from etcd it answers 429, which a list waits for and a watch does not.
  expect(await names()).toEqual(['first', 'second']);
  const { resourceVersion } = before.metadata;
  const watch = transport.watch(
    feedsPath,
    { resourceVersion },
    { signal: AbortSignal.timeout(slowMs), idleMsMax: slowMs },
  );
  const refusal = await watch.next().catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(KubeError);
  expect(refusal).toMatchObject({ status: 410 });
});

test('a ServiceAccount is let do what its role says, and the audit log tells who did what', async () => {
  const from = await plane.auditEnd();
  await plane.kubectl('create', 'serviceaccount', 'reader');
  await plane.kubectl('create', 'role', 'reader', '--verb=list', '--resource=exchangefeeds.feeds.k2.dev');
  await plane.kubectl('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:reader');
  const path = await plane.kubeconfigOf('default', 'reader');
  expect(await readFile(path, 'utf8')).toContain(plane.server);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(path);
  const reader = createTransport(kubeConfig, { userAgent: 'reader/1' });
  await reader.request('GET', feedsPath);
  await expect(reader.request('DELETE', `${feedsPath}/first`)).rejects.toMatchObject({ status: 403 });
  await reader.close();
  const seen: AuditEvent[] = [];
  for await (const event of plane.audited(from)) if (event.userAgent === 'reader/1') seen.push(event);
  expect(seen.map(({ verb, user, responseStatus }) => [verb, user.username, responseStatus?.code])).toEqual([
    ['list', 'system:serviceaccount:default:reader', 200],
    ['delete', 'system:serviceaccount:default:reader', 403],
  ]);
});
