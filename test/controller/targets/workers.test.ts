import { describe, expect, test } from 'vitest';
import { desire } from '../../../controller/desired.ts';
import { createWorkersTarget } from '../../../controller/targets/workers.ts';
import { type Call, startStub, status, transportTo } from '../kube/stub-api-server.ts';
import { config, sampleFeed, schemas } from '../sample-feed.ts';

const { deployment } = desire(sampleFeed(), config, schemas);
const path = '/apis/apps/v1/namespaces/market-data/deployments/binance-0';

async function setUp(answer: (call: Call) => void) {
  const stub = await startStub(answer);
  const cached = (key: string) => (key === 'market-data/binance-0' ? deployment : null);
  const target = createWorkersTarget({ transport: transportTo(stub), cached, fieldManager: 'me' });
  return { stub, target };
}

describe("the workers' target", () => {
  test('observes the Deployment in the cache, without a request', async () => {
    const { stub, target } = await setUp(() => {});
    expect(await target.observe(deployment)).toBe(deployment);
    expect(stub.calls).toEqual([]);
  });

  test('applies the Deployment server-side', async () => {
    const { stub, target } = await setUp((call) => call.json(201, deployment));
    await target.apply(deployment, { target: 'workers', kind: 'apply', deployment });
    const call = await stub.call(0);
    expect(call).toMatchObject({ method: 'PATCH', path, query: { fieldManager: 'me', force: 'true' } });
    expect(JSON.parse(call.body)).toEqual(deployment);
  });

  test.each([400, 403, 409, 422])("makes a reason of the API server's refusal: %i", async (code) => {
    const { target } = await setUp((call) => call.json(code, status(code, 'Refused', 'requests above limits')));
    const applied = target.apply(deployment, { target: 'workers', kind: 'apply', deployment });
    await expect(applied).rejects.toMatchObject({
      reason: 'WorkersRefused',
      message: 'requests above limits',
    });
  });

  test('makes no reason of a failure of the API server itself, so that the reconcile is tried again', async () => {
    const { target } = await setUp((call) => call.json(500, status(500, 'InternalError', 'etcd is away')));
    const applied = target.apply(deployment, { target: 'workers', kind: 'apply', deployment });
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
