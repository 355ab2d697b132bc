import { describe, expect, test } from 'vitest';
import { type Call, startStub, status } from './kube/stub-api-server.ts';
import { kubeConfigFor, startController } from './program.ts';

const emptyList = { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '1' }, items: [] };
const answerEmpty = (call: Call) => {
  if (!call.watch) call.json(200, emptyList);
};

test('a bad configuration ends the controller at once with code 2 and one line', async () => {
  const starts = [
    { change: { K2_WORKER_IMAGE: '' }, line: /^K2_WORKER_IMAGE: is not set; for example K2_WORKER_IMAGE=\S+\n$/ },
    {
      change: { K2_SCHEMA_PATH: '/nowhere' },
      line: /^K2_SCHEMA_PATH: '\/nowhere' has no schemas \(ENOENT.*\); for example \S+\n$/,
    },
  ].map(({ change, line }) => ({ controller: startController(change), line }));
  for (const { controller, line } of starts) {
    expect(await controller.exited).toBe(2);
    expect(controller.stderr()).toMatch(line);
  }
});

test('the controller is ready once everything is listed, and ends cleanly on SIGTERM', async () => {
  const leadership = { K2_LEADER_ELECTION: 'false' };
  const held: Call[] = [];
  let isHolding = true;
  const stub = await startStub((call) => {
    if (isHolding && call.path.endsWith('/pods')) held.push(call);
    else answerEmpty(call);
  });
  const namespace = { K2_WATCH_NAMESPACE: 'market-data' };
  const controller = startController({ KUBECONFIG: await kubeConfigFor(stub.url), ...namespace, ...leadership });
  const { port } = await controller.logged('started');
  const get = async (page: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${page}`);
    return `${response.status} ${await response.text()}`;
  };
  await stub.call(3);
  expect(await get('/healthz')).toBe('200 ok\n');
  expect(await get('/readyz')).toBe('503 feeds and what was made for them are not listed yet\n');

  isHolding = false;
  for (const call of held) answerEmpty(call);
  await controller.logged('watching');
  expect(await get('/readyz')).toBe('200 ok\n');
  expect(await get('/metrics')).toContain('k2_controller_feeds{condition="Ready",status="True"} 0');
  const listed = stub.calls.filter(({ watch }) => !watch).map(({ path, query }) => [path, query.labelSelector]);
  const ours = 'app.kubernetes.io/managed-by=k2-feed-operator';
  expect(listed.toSorted()).toEqual([
    ['/api/v1/namespaces/market-data/pods', ours],
    ['/api/v1/namespaces/market-data/secrets', undefined],
    ['/apis/apps/v1/namespaces/market-data/deployments', ours],
    ['/apis/feeds.k2.dev/v1alpha1/namespaces/market-data/exchangefeeds', undefined],
    ['/apis/policy/v1/namespaces/market-data/poddisruptionbudgets', ours],
  ]);

  controller.child.kill('SIGTERM');
  expect(await controller.exited).toBe(0);
  expect(controller.stderr()).toBe('');
});

describe('of two controllers', () => {
  const leasePath = '/apis/coordination.k8s.io/v1/namespaces/k2-system/leases';
  const leadership = { K2_LEASE_NAMESPACE: 'k2-system', K2_LEASE_NAME: 'k2' };

  const leaseOf = (holderIdentity: string, resourceVersion: string) => ({
    metadata: { name: 'k2', namespace: 'k2-system', resourceVersion },
    spec: { holderIdentity, leaseDurationSeconds: 15 },
  });

  /** A server with nothing but a lease, which `holder` has at first. Where that is `other`, it has just renewed it. */
  async function startServer(holder: string) {
    const server = { lease: leaseOf(holder, '1') };
    const stub = await startStub((call, index) => {
      if (!call.path.startsWith(leasePath)) return answerEmpty(call);
      if (server.lease.spec.holderIdentity === 'other') server.lease = leaseOf('other', `7${index}`);
      if (call.method === 'PUT') {
        const sent = JSON.parse(call.body);
        const { resourceVersion } = server.lease.metadata;
        if (sent.metadata.resourceVersion !== resourceVersion)
          return call.json(409, status(409, 'Conflict', 'modified'));
        server.lease = { ...sent, metadata: { ...sent.metadata, resourceVersion: `${resourceVersion}1` } };
      }
      call.json(200, server.lease);
    });
    return { server, stub, kubeConfig: await kubeConfigFor(stub.url) };
  }

  test('the one that stands by is ready, and ends at once', async () => {
    const { server, stub, kubeConfig } = await startServer('other');
    const controller = startController({ KUBECONFIG: kubeConfig, ...leadership });
    const { port } = await controller.logged('started');
    expect(await controller.logged('another process leads')).toMatchObject({ holder: 'other' });
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text());
    expect(metrics).toContain('leader_election_master_status{name="k2"} 0');
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    controller.child.kill('SIGTERM');
    expect(await controller.exited).toBe(0);
    expect(server.lease.spec.holderIdentity).toBe('other');
    expect(stub.calls.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test('the one that leads says who it is, and releases the lease when it ends', async () => {
    const { server, kubeConfig } = await startServer('');
    const controller = startController({ KUBECONFIG: kubeConfig, ...leadership });
    const { identity } = await controller.logged('this process leads');
    expect(identity).toMatch(/^[^_]+_[0-9a-f-]{36}$/);
    expect(server.lease.spec.holderIdentity).toBe(identity);
    controller.child.kill('SIGTERM');
    expect(await controller.exited).toBe(0);
    expect(server.lease.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
  });

  test('the one that loses the lease ends at once, with code 1', async () => {
    const { server, kubeConfig } = await startServer('');
    const controller = startController({ KUBECONFIG: kubeConfig, ...leadership });
    await controller.logged('this process leads');
    server.lease = leaseOf('other', '7');
    expect(await controller.exited).toBe(1);
    expect(server.lease.spec.holderIdentity).toBe('other');
  });
});
