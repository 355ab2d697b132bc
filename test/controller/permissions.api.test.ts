// The one right of the controller that no request of its own shows in an audit log: admission asks for it.
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExchangeFeed } from '../../api/exchange-feed.ts';
import { apply } from '../../controller/kube/apply.ts';
import { createTransport } from '../../controller/kube/transport.ts';
import { permissions } from '../../controller/permissions.ts';
import { deployments } from '../../controller/workload.ts';
import { ControlPlane } from '../services/control-plane.ts';

const feedsPath = '/apis/feeds.k2.dev/v1alpha1/namespaces/default/exchangefeeds';
const finalizers = 'exchangefeeds/finalizers';

let plane: ControlPlane;
let feed: ExchangeFeed;

beforeAll(async () => {
  plane = await ControlPlane.start();
  const transport = createTransport(plane.kubeConfig, { userAgent: 'permissions-test' });
  feed = await transport.request('POST', feedsPath, {
    body: {
      apiVersion: 'feeds.k2.dev/v1alpha1',
      kind: 'ExchangeFeed',
      metadata: { name: 'owner' },
      spec: { exchange: 'binance', symbols: ['BTCUSDT'] },
    },
  });
  await transport.close();
});

afterAll(() => plane?.close());

/** Applies a Deployment that the feed owns, as an account with these of the controller's rights. */
async function applyWith(account: string, resources: string[]): Promise<unknown> {
  const rules = permissions
    .filter(({ resource }) => resources.includes(resource))
    .map(({ apiGroup, resource, verbs }) => ({ apiGroups: [apiGroup], resources: [resource], verbs }));
  const metadata = { name: account, namespace: 'default' };
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata };
  await plane.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { ...rbac, kind: 'Role', rules },
    {
      ...{ ...rbac, kind: 'RoleBinding' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
  );
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(await plane.kubeconfigOf('default', account));
  const transport = createTransport(kubeConfig, { userAgent: account });
  const labels = { app: account };
  const { apiVersion, kind } = feed;
  const owner = { apiVersion, kind, name: 'owner', uid: feed.metadata.uid, controller: true, blockOwnerDeletion: true };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadata, ownerReferences: [owner] },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  };
  return apply(transport, deployments, deployment, { fieldManager: account }).finally(() => transport.close());
}

test('with the right to update finalizers a Deployment is applied that keeps its feed until it is gone', async () => {
  await expect(applyWith('with', ['deployments', finalizers])).resolves.toMatchObject({ kind: 'Deployment' });
});

test('without it the API server refuses, where owner references are checked', async () => {
  await expect(applyWith('without', ['deployments'])).rejects.toMatchObject({ status: 403 });
});
