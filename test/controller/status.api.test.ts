// What kubectl and kstatus make of the controller's statuses on a real API server: when waiting ends, what a new spec
// does to a status from before it, and that what is not written again is not changed.
import { afterAll, beforeAll, beforeEach, expect, describe as group, test } from 'vitest';
import { type ExchangeFeed, plural } from '../../api/exchange-feed.ts';
import { TargetError } from '../../controller/errors.ts';
import { applyStatus } from '../../controller/kube/apply.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { describe, type Seen } from '../../controller/status.ts';
import { feeds } from '../../controller/watch.ts';
import { until } from '../cluster/until.ts';
import { ControlPlane } from '../services/control-plane.ts';
import { kstatusOf } from './kstatus.ts';
import { conditionOf, wellSeen } from './seen.ts';

/** A busy machine's time for what takes an idle one a second. */
const slowMs = 60_000;
const resource = `${plural}/binance`;
const refusal = new TargetError('PartitionShrinkRefused', 'topic x has 6 partitions, topics.partitions is 3');

let plane: ControlPlane;
let transport: Transport;
let namespace: string;
let count = 0;

beforeAll(async () => {
  plane = await ControlPlane.start();
  transport = createTransport(plane.kubeConfig, { userAgent: 'status-test' });
});
afterAll(async () => {
  await transport?.close();
  await plane?.close();
});
beforeEach(async () => {
  namespace = `feeds-${count++}`;
  await plane.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, manifest());
});

const manifest = (symbols = ['BTCUSDT', 'ETHUSDT']) => {
  const metadata = { name: 'binance', namespace };
  const spec = { exchange: 'binance', symbols };
  return { apiVersion: 'feeds.k2.dev/v1alpha1', kind: 'ExchangeFeed', metadata, spec };
};
const kubectl = (...words: string[]) => plane.kubectl('-n', namespace, ...words);
const read = async (): Promise<ExchangeFeed> => JSON.parse(await kubectl('get', resource, '-o', 'json'));
const columns = async () =>
  (await kubectl('get', resource))
    .trim()
    .split('\n')
    .map((line) => line.split(/\s{2,}/));

/** Judges the feed as it is stored, and writes what comes of it, as the controller does. */
async function write(changes: Partial<Seen> = {}): Promise<ExchangeFeed> {
  const feed = await read();
  const status = describe({ ...wellSeen(feed), previous: feed.status ?? {}, ...changes });
  const { apiVersion, kind } = feed;
  const object = { apiVersion, kind, metadata: { name: 'binance', namespace }, status };
  await applyStatus(transport, feeds, object, { fieldManager: 'k2-feed-operator' });
  return read();
}

/** Begins to wait, and is on the watch when this resolves. */
async function startWaiting(condition: string) {
  const from = await plane.auditEnd();
  const waiting = { hasEnded: false, ended: Promise.resolve() };
  waiting.ended = kubectl('wait', `--for=condition=${condition}`, resource, `--timeout=${slowMs / 1000}s`).then(() => {
    waiting.hasEnded = true;
  });
  await until(`kubectl to watch ${resource}`, slowMs, async () => {
    for await (const { verb, objectRef, userAgent } of plane.audited(from)) {
      const isIts = verb === 'watch' && objectRef?.namespace === namespace && userAgent?.startsWith('kubectl');
      if (isIts) return true;
    }
    return undefined;
  });
  return waiting;
}

const waitsInVain = (condition: string) =>
  expect(kubectl('wait', `--for=condition=${condition}`, resource, '--timeout=1s')).rejects.toThrow('timed out');

group('kubectl wait for Ready', () => {
  test('does not end on a feed that no controller has looked at', async () => {
    const feed = await read();
    expect(conditionOf(feed.status ?? {}, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'Pending' });
    expect(kstatusOf(feed)).toBe('InProgress');
    await waitsInVain('Ready');
  });

  test('ends when the feed is Ready, and not on the way there', async () => {
    const waiting = await startWaiting('Ready');
    expect(kstatusOf(await write({ topics: new Map(), deployments: [], reports: [] }))).toBe('InProgress');
    expect(kstatusOf(await write({ reports: [] }))).toBe('InProgress');
    expect(waiting.hasEnded).toBe(false);
    expect(kstatusOf(await write())).toBe('Current');
    await waiting.ended;
  });

  test('does not end on a status from before the present spec', async () => {
    await write();
    await plane.apply(manifest(['BTCUSDT']));
    const feed = await read();
    expect([feed.metadata.generation, feed.status?.observedGeneration]).toEqual([2, 1]);
    expect(conditionOf(feed.status ?? {}, 'Ready')?.status).toBe('True');
    expect(kstatusOf(feed)).toBe('InProgress');
    const waiting = await startWaiting('Ready');
    expect(kstatusOf(await write({ reports: [] }))).toBe('InProgress');
    expect(waiting.hasEnded).toBe(false);
    await write();
    await waiting.ended;
  });
});

group('a condition that is there only while it is True', () => {
  test('can be waited for, and goes when it has ended', async () => {
    const waiting = await startWaiting('Stalled');
    expect(kstatusOf(await write({ failures: [refusal] }))).toBe('Failed');
    await waiting.ended;
    const cured = await write();
    expect(cured.status?.conditions?.map(({ type }) => type)).not.toContain('Stalled');
    expect(kstatusOf(cured)).toBe('Current');
  });
});

group('a status', () => {
  test('begins its times when the controller first looks, whatever default it found', async () => {
    const { status } = await write({ topics: null, deployments: [], reports: [] });
    expect(conditionOf(status ?? {}, 'Ready')).toMatchObject({
      status: 'Unknown',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    });
  });

  test('that is written again changes nothing on the server', async () => {
    const first = await write();
    expect(first.status).toEqual(describe({ ...wellSeen(first), previous: first.status ?? {} }));
    const second = await write({ nowMs: Date.parse('2026-01-01T00:30:00Z') });
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  test('fills the columns', async () => {
    await write();
    const [names, values] = await columns();
    const table = Object.fromEntries((names ?? []).map((name, index) => [name, values?.[index]]));
    expect(table).toMatchObject({ READY: 'True', WORKERS: '1/1', 'TRADES/S': '168', COMPLETE: '100%' });
    expect(table).toHaveProperty('LAST TRADE');
  });

  test('of a feed that is being deleted is Terminating for whoever waits', async () => {
    const finalized = { ...manifest(), metadata: { ...manifest().metadata, finalizers: ['feeds.k2.dev/workers'] } };
    await plane.apply(finalized);
    await write();
    await kubectl('delete', resource, '--wait=false');
    const deletion = new TargetError('Deleting', 'The feed is deleted once its workers have ended');
    const deleting = await write({ failures: [deletion] });
    expect(kstatusOf(deleting)).toBe('Terminating');
    expect(conditionOf(deleting.status ?? {}, 'Ready')).toMatchObject({ status: 'False', reason: 'Deleting' });
    await waitsInVain('Ready');
    await kubectl('patch', resource, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await kubectl('wait', '--for=delete', resource, `--timeout=${slowMs / 1000}s`);
  });
});
