import { expect, test } from 'vitest';
import { keyOf, resourcePath, splitKey } from '../../../controller/kube/object.ts';

test.each([
  [{ namespace: 'shop', name: 'a' }, 'shop/a'],
  [{ name: 'node-1' }, 'node-1'],
])('the key of %o is %s, and splits again', (metadata, key) => {
  expect(keyOf({ metadata })).toBe(key);
  expect(splitKey(key)).toEqual(metadata);
});

test.each([
  [{ group: '', version: 'v1', plural: 'nodes' }, '/api/v1/nodes'],
  [{ group: '', version: 'v1', plural: 'pods', namespace: 'shop', name: 'a' }, '/api/v1/namespaces/shop/pods/a'],
  [{ group: 'apps', version: 'v1', plural: 'deployments' }, '/apis/apps/v1/deployments'],
  [
    { group: 'apps', version: 'v1', plural: 'deployments', namespace: 'shop', name: 'a', subresource: 'status' },
    '/apis/apps/v1/namespaces/shop/deployments/a/status',
  ],
  [{ group: '', version: 'v1', plural: 'pods', namespace: 'a/../b' }, '/api/v1/namespaces/a%2F..%2Fb/pods'],
])('%o lives at %s', (location, path) => {
  expect(resourcePath(location)).toBe(path);
});
