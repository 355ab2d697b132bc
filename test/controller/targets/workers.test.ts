import { describe, expect, test } from 'vitest';
import { desire } from '../../../controller/desired.ts';
import { createWorkersTarget } from '../../../controller/targets/workers.ts';
import { type Call, startStub, status, transportTo } from '../kube/stub-api-server.ts';
import { config, sampleFeed, schemas } from '../sample-feed.ts';

const { workload } = desire(sampleFeed({ standbys: 1 }), config, schemas);
const [deployment] = workload.deployments;
const [budget] = workload.budgets;
if (deployment === undefined || budget === undefined) throw new Error('no Deployment or budget is desired');
const path = '/apis/apps/v1/namespaces/market-data/deployments/binance-0';
const budgetPath = '/apis/policy/v1/namespaces/market-data/poddisruptionbudgets/binance-0';
const observed = { deployments: [deployment], budgets: [] };

async function setUp(answer: (call: Call) => void) {
  const stub = await startStub(answer);
  const cached = (key: string) => (key === 'market-data/binance' ? observed : { deployments: [], budgets: [] });
  const target = createWorkersTarget({ transport: transportTo(stub), cached, fieldManager: 'me' });
  return { stub, target };
}

describe("the workers' target", () => {
  test('observes what the feed has in the cache, without a request', async () => {
    const { stub, target } = await setUp(() => {});
    expect(await target.observe(workload)).toBe(observed);
    expect(stub.calls).toEqual([]);
  });

  test('applies the Deployment server-side', async () => {
    const { stub, target } = await setUp((call) => call.json(201, deployment));
    await target.apply(workload, { target: 'workers', kind: 'apply', object: deployment });
    const call = await stub.call(0);
    expect(call).toMatchObject({ method: 'PATCH', path, query: { fieldManager: 'me', force: 'true' } });
    expect(JSON.parse(call.body)).toEqual(deployment);
  });

  test('applies and removes a budget in the same way', async () => {
    const { stub, target } = await setUp((call) => call.json(200, budget));
    await target.apply(workload, { target: 'workers', kind: 'apply', object: budget });
    await target.apply(workload, { target: 'workers', kind: 'remove', object: budget });
    expect(await stub.call(0)).toMatchObject({ method: 'PATCH', path: budgetPath });
    expect(await stub.call(1)).toMatchObject({ method: 'DELETE', path: budgetPath });
  });

  test.each([400, 403, 409, 422])("makes a reason of the API server's refusal: %i", async (code) => {
    const { target } = await setUp((call) => call.json(code, status(code, 'Refused', 'requests above limits')));
    const applied = target.apply(workload, { target: 'workers', kind: 'apply', object: deployment });
    await expect(applied).rejects.toMatchObject({
      reason: 'WorkersRefused',
      message: 'requests above limits',
    });
  });

  test('makes no reason of a failure of the API server itself, so that the reconcile is tried again', async () => {
    const { target } = await setUp((call) => call.json(500, status(500, 'InternalError', 'etcd is away')));
    const applied = target.apply(workload, { target: 'workers', kind: 'apply', object: deployment });
    await expect(applied).rejects.toMatchObject({ name: 'KubeError', status: 500 });
  });

  test('removes this very Deployment, and its pods before it', async () => {
    const { stub, target } = await setUp((call) => call.json(200, status(200, '', '')));
    await target.remove({ ...deployment, metadata: { ...deployment.metadata, uid: 'd1' } });
    const call = await stub.call(0);
    expect(call).toMatchObject({ method: 'DELETE', path });
    expect(JSON.parse(call.body)).toMatchObject({ propagationPolicy: 'Foreground', preconditions: { uid: 'd1' } });
  });
});
