import { expect, test } from 'vitest';
import { apply, applyStatus, deleteObject, setFinalizer } from '../../../controller/kube/apply.ts';
import type { Transport } from '../../../controller/kube/transport.ts';
import { type Call, configMap, type StubApiServer, startStub, status, transportTo } from './stub-api-server.ts';

const configMaps = { group: '', version: 'v1', plural: 'configmaps' };
const path = '/api/v1/namespaces/shop/configmaps/a';

async function setUp(answer: (call: Call) => void): Promise<{ stub: StubApiServer; transport: Transport }> {
  const stub = await startStub(answer);
  return { stub, transport: transportTo(stub) };
}

const stored = (call: Call) => call.json(200, configMap('a', '2'));

test('apply sends the object whole, fields that no model knows included, as a forced apply patch', async () => {
  const { stub, transport } = await setUp(stored);
  const object = { ...configMap('a', '1'), data: { x: '1' }, brandNewField: { deep: [1] } };
  expect(await apply(transport, configMaps, object, { fieldManager: 'me' })).toEqual(configMap('a', '2'));
  const call = await stub.call(0);
  expect(call).toMatchObject({ method: 'PATCH', path, query: { fieldManager: 'me', force: 'true' } });
  expect(call.headers['content-type']).toBe('application/apply-patch+yaml');
  expect(JSON.parse(call.body)).toEqual(object);
});

test('apply leaves fields to other managers when it is not forced, and fails with their conflict', async () => {
  const { stub, transport } = await setUp((call) => call.json(409, status(409, 'Conflict', 'conflict with "kubectl"')));
  const applied = apply(transport, configMaps, configMap('a', '1'), { fieldManager: 'me', force: false });
  await expect(applied).rejects.toThrow('conflict with "kubectl"');
  expect((await stub.call(0)).query.force).toBe('false');
});

test('applyStatus does the same to the status subresource', async () => {
  const { stub, transport } = await setUp(stored);
  await applyStatus(transport, configMaps, configMap('a', '1'), { fieldManager: 'me-status' });
  expect(await stub.call(0)).toMatchObject({ method: 'PATCH', path: `${path}/status` });
});

test('deleteObject collects what the object owns in the background, and can insist on the very object', async () => {
  const { stub, transport } = await setUp((call) => call.json(200, status(200, '', '')));
  expect(await deleteObject(transport, configMaps, configMap('a', '1'))).toBe(true);
  const preconditions = { uid: 'uid-a' };
  await deleteObject(transport, configMaps, configMap('a', '1'), { propagationPolicy: 'Foreground', preconditions });
  const bodies = stub.calls.map((call) => [call.method, call.path, JSON.parse(call.body)]);
  const deleteOptions = { apiVersion: 'v1', kind: 'DeleteOptions' };
  expect(bodies).toEqual([
    ['DELETE', path, { ...deleteOptions, propagationPolicy: 'Background' }],
    ['DELETE', path, { ...deleteOptions, propagationPolicy: 'Foreground', preconditions }],
  ]);
});

test('deleteObject is content when there is nothing to delete, and only then', async () => {
  const missing = await setUp((call) => call.json(404, status(404, 'NotFound', 'not found')));
  expect(await deleteObject(missing.transport, configMaps, configMap('a', '1'))).toBe(false);
  const other = await setUp((call) => call.json(409, status(409, 'Conflict', 'uid differs')));
  await expect(deleteObject(other.transport, configMaps, configMap('a', '1'))).rejects.toThrow('uid differs');
});

test('setFinalizer adds and removes one among others, on the very version that was read', async () => {
  const { stub, transport } = await setUp(stored);
  const object = configMap('a', '7');
  object.metadata.finalizers = ['other/one'];
  await setFinalizer(transport, configMaps, object, 'me/clean-up', true, { fieldManager: 'me' });
  object.metadata.finalizers = ['other/one', 'me/clean-up', 'other/two'];
  await setFinalizer(transport, configMaps, object, 'me/clean-up', false, { fieldManager: 'me' });
  const precondition = { uid: 'uid-a', resourceVersion: '7' };
  expect(stub.calls.map((call) => JSON.parse(call.body).metadata)).toEqual([
    { ...precondition, finalizers: ['other/one', 'me/clean-up'] },
    { ...precondition, finalizers: ['other/one', 'other/two'] },
  ]);
  expect(stub.calls[0]).toMatchObject({ method: 'PATCH', path, query: { fieldManager: 'me' } });
  expect(stub.calls[0]?.headers['content-type']).toBe('application/merge-patch+json');
});

test('setFinalizer asks for nothing when that is how it is', async () => {
  const { stub, transport } = await setUp(stored);
  const object = configMap('a', '7');
  expect(await setFinalizer(transport, configMaps, object, 'me/clean-up', false, { fieldManager: 'me' })).toBe(object);
  expect(stub.calls).toHaveLength(0);
});
