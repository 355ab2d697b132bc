// Two real controllers on a real API server: one leads, and another does when that one is gone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExchangeFeed, group, plural, version } from '../../api/exchange-feed.ts';
import type { Lease } from '../../controller/kube/lease.ts';
import { resourcePath } from '../../controller/kube/object.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { until } from '../cluster/until.ts';
import { ControlPlane } from '../services/control-plane.ts';
import { startController } from './program.ts';

/** A busy machine's time for what takes an idle one a second. */
const slowMs = 60_000;
/** The lease's 15 s, and the longest pause of a standby between two looks, 4.4 s. */
const takeOverMsMax = 19_400;
/** What a busy machine adds. */
const slackMs = 3_000;
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

let plane: ControlPlane;
let admin: Transport;

beforeAll(async () => {
  plane = await ControlPlane.start();
  admin = createTransport(plane.kubeConfig, { userAgent: 'test' });
});

afterAll(async () => {
  await admin?.close();
  await plane?.close();
});

const leaseOf = (name: string) => admin.request<Lease>('GET', `${leases}/${name}`);
const start = (lease: string, kubeconfig = plane.kubeconfig) =>
  startController({ KUBECONFIG: kubeconfig, K2_LEASE_NAMESPACE: 'default', K2_LEASE_NAME: lease });

/** Its broker is away, which its status says. */
const feed = (shards: number) => ({
  apiVersion: `${group}/${version}`,
  kind: 'ExchangeFeed',
  metadata: { name: 'feed', namespace: 'default' },
  spec: { exchange: 'binance', symbols: ['BTCUSDT', 'ETHUSDT'], shards },
});

const observed = (generation: number) =>
  until(`a status of generation ${generation}`, slowMs, async () => {
    const path = resourcePath({ group, version, plural, namespace: 'default', name: 'feed' });
    const { status } = await admin.request<ExchangeFeed>('GET', path);
    return status?.observedGeneration === generation ? true : undefined;
  });

async function startTwo(lease: string) {
  const leader = start(lease);
  await leader.logged('this process leads');
  const standby = start(lease);
  await standby.logged('another process leads');
  return { leader, standby };
}

describe('of two controllers', () => {
  test('the other leads once the leader is killed', async () => {
    const { leader, standby } = await startTwo('killed');
    leader.child.kill('SIGKILL');
    const killedMs = performance.now();
    await standby.logged('this process leads');
    const tookMs = performance.now() - killedMs;
    console.log(`a killed leader: the other leads after ${(tookMs / 1_000).toFixed(1)} s`);
    expect(tookMs).toBeLessThan(takeOverMsMax + slackMs);
    expect((await leaseOf('killed')).spec?.leaseTransitions).toBe(1);
  });

  test('the other leads at its next look once the leader has ended', async () => {
    const { leader, standby } = await startTwo('ended');
    leader.child.kill('SIGTERM');
    const endedMs = performance.now();
    expect(await leader.exited).toBe(0);
    await standby.logged('this process leads');
    const tookMs = performance.now() - endedMs;
    console.log(`a leader that ends: the other leads after ${(tookMs / 1_000).toFixed(1)} s`);
    expect(tookMs).toBeLessThan(4_400 + slackMs);
  });

  test('a leader that was paused and wakes up ends, and changes nothing of what changed meanwhile', async () => {
    await plane.kubectl('create', 'serviceaccount', 'paused');
    const account = '--serviceaccount=default:paused';
    await plane.kubectl('create', 'clusterrolebinding', 'paused', '--clusterrole=cluster-admin', account);
    const leader = start('paused', await plane.kubeconfigOf('default', 'paused'));
    await leader.logged('this process leads');
    await plane.apply(feed(1));
    await observed(1);
    const standby = start('paused');
    await standby.logged('another process leads');
    leader.child.kill('SIGSTOP');
    await standby.logged('this process leads');
    const from = await plane.auditEnd();
    // The paused one finds this on its watch as soon as it wakes.
    await plane.apply(feed(2));
    await observed(2);
    leader.child.kill('SIGCONT');
    expect(await leader.exited).toBe(1);
    expect((await leaseOf('paused')).spec?.leaseTransitions).toBe(1);
    const writers = new Set<string>();
    for await (const { verb, user } of plane.audited(from)) {
      if (!['get', 'list', 'watch'].includes(verb)) writers.add(user.username);
    }
    expect(writers.size).toBeGreaterThan(0);
    expect(writers).not.toContain('system:serviceaccount:default:paused');
  });

  test('the leader outlives one renewal that hangs, and nobody takes over', async () => {
    const { leader } = await startTwo('outage');
    plane.pause('kube-apiserver');
    await leader.logged('the lease could not be renewed');
    plane.resume('kube-apiserver');
    const before = await leaseOf('outage');
    await until('two renewals', slowMs, async () => {
      const { spec } = await leaseOf('outage');
      return Date.parse(spec?.renewTime ?? '') - Date.parse(before.spec?.renewTime ?? '') > 3_000 ? true : undefined;
    });
    expect((await leaseOf('outage')).spec?.leaseTransitions).toBe(0);
    leader.child.kill('SIGTERM');
    expect(await leader.exited).toBe(0);
  });

  test('with an API server that stands still for long the leader ends, and afterwards one leads', async () => {
    const { leader, standby } = await startTwo('silent');
    plane.pause('kube-apiserver');
    expect(await leader.exited).toBe(1);
    plane.resume('kube-apiserver');
    await standby.logged('this process leads');
    expect((await leaseOf('silent')).spec?.leaseTransitions).toBe(1);
  });
});
