// Feeds that go while something else is gone: the real controller on a real API server, with broker and registry away.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExchangeFeed } from '../../api/exchange-feed.ts';
import { isNotFound } from '../../controller/kube/errors.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { until } from '../cluster/until.ts';
import { ControlPlane } from '../services/control-plane.ts';
import { startController } from './program.ts';

/** A busy machine's time for what takes an idle one a second. */
const slowMs = 60_000;
/** What the steps of a deletion may take, and what a busy machine adds. */
const deletionMsMax = 120_000 + slowMs;

let plane: ControlPlane;
let admin: Transport;

beforeAll(async () => {
  plane = await ControlPlane.start({ controllers: ['namespace-controller', 'serviceaccount-controller'] });
  admin = createTransport(plane.kubeConfig, { userAgent: 'test' });
});

afterAll(async () => {
  await admin?.close();
  await plane?.close();
});

const pathOf = (namespace: string) => `/apis/feeds.k2.dev/v1alpha1/namespaces/${namespace}/exchangefeeds/binance`;

async function find(path: string): Promise<ExchangeFeed | null> {
  try {
    return await admin.request<ExchangeFeed>('GET', path);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** A feed that the controller has taken on. */
async function apply(namespace: string, deletionPolicy: string): Promise<void> {
  await plane.kubectl('create', 'namespace', namespace);
  await plane.apply({
    apiVersion: 'feeds.k2.dev/v1alpha1',
    kind: 'ExchangeFeed',
    metadata: { name: 'binance', namespace },
    spec: { exchange: 'binance', symbols: ['BTCUSDT'], deletionPolicy },
  });
  await until('its finalizer', slowMs, async () =>
    (await find(pathOf(namespace)))?.metadata.finalizers?.length === 1 ? true : undefined,
  );
}

const gone = (path: string) =>
  until(`${path} to be gone`, deletionMsMax, async () => ((await find(path)) === null ? true : undefined));

const controller = () => startController({ KUBECONFIG: plane.kubeconfig, K2_LEADER_ELECTION: 'false' });

test('a feed that wants its topics deleted goes although broker and registry are gone, and says so', async () => {
  const { child, exited } = controller();
  await apply('broker-gone', 'Delete');
  await plane.kubectl('delete', 'exchangefeed', 'binance', '--namespace', 'broker-gone', '--wait=false');
  await gone(pathOf('broker-gone'));
  const events = await until('the event', slowMs, async () => {
    const listed = await plane.kubectl('get', 'events', '--namespace', 'broker-gone', '-o', 'jsonpath={..reason}');
    return listed.includes('TopicsLeft') ? listed : undefined;
  });
  expect(events).toContain('WorkersEnded');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});

test('a feed goes with its namespace', async () => {
  const { child, exited } = controller();
  await apply('terminating', 'Delete');
  await plane.kubectl('delete', 'namespace', 'terminating', '--wait=false');
  await gone('/api/v1/namespaces/terminating');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
});

test('a feed whose operator was uninstalled first waits, and one command frees it', async () => {
  const { child, exited } = controller();
  await apply('uninstalled', 'Retain');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  const place = ['--namespace', 'uninstalled'];
  await plane.kubectl('delete', 'exchangefeed', 'binance', ...place, '--wait=false');
  expect((await find(pathOf('uninstalled')))?.metadata.deletionTimestamp).toBeDefined();
  const patch = JSON.stringify({ metadata: { finalizers: null } });
  await plane.kubectl('patch', 'exchangefeed', 'binance', ...place, '--type', 'merge', '--patch', patch);
  expect(await find(pathOf('uninstalled'))).toBeNull();
});
