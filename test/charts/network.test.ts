// Network policies and monitors: who may talk to the controller and to the workers, and who scrapes them.
import { describe, expect, test } from 'vitest';
import { desire } from '../../controller/desired.ts';
import { exchanges } from '../../worker/exchanges/index.ts';
import { config, sampleFeed, schemas } from '../controller/sample-feed.ts';
import { type Manifest, missing, releaseNamespace, render, renderSet } from './helm.ts';
import { isSelected, kindsOf, one } from './manifests.ts';

interface Rule {
  ports: { port: number | string; protocol?: string }[];
  to?: unknown[];
  from?: unknown[];
}

interface Policy {
  podSelector: { matchLabels: Record<string, string> };
  policyTypes: string[];
  ingress: Rule[];
  egress: Rule[];
}

const controllerName = 'feeds-k2-feed-operator';
const workersName = `${controllerName}-workers`;
const policyOf = (manifests: Manifest[], name: string) =>
  one(manifests, 'NetworkPolicy', name).spec as unknown as Policy;
const portsOf = (rules: Rule[]) => rules.flatMap(({ ports }) => ports.map(({ port }) => port));

/** A worker's pod, as the controller makes it. */
const worker = desire(sampleFeed(), config, schemas).workload.deployments[0]?.spec.template as {
  metadata: { labels: Record<string, string> };
  spec: { containers: { ports: { name: string; containerPort: number }[] }[] };
};
const workerLabels = worker.metadata.labels;

describe.skipIf(missing !== null)('network policies', () => {
  test('are not made unless asked for', () => {
    expect(kindsOf(render())).not.toContain('NetworkPolicy');
  });

  test('let the controller reach name servers, API server, every broker, the registry and the workers', () => {
    const manifests = renderSet('network-policy');
    const { podSelector, policyTypes, egress, ingress } = policyOf(manifests, controllerName);
    const labels = one(manifests, 'Deployment').spec?.template?.metadata.labels;
    expect(isSelected(labels, podSelector.matchLabels)).toBe(true);
    expect(isSelected(workerLabels, podSelector.matchLabels)).toBe(false);
    expect(policyTypes).toEqual(['Ingress', 'Egress']);
    expect(portsOf(egress)).toEqual([443, 6443, 53, 53, 9093, 9094, 8081, 'http']);
    const [port] = worker.spec.containers[0]?.ports ?? [];
    const workers = egress.find(({ ports }) => ports[0]?.port === port?.name)?.to as [
      { podSelector: { matchLabels: Record<string, string> }; namespaceSelector: object },
    ];
    expect(isSelected(workerLabels, workers[0].podSelector.matchLabels)).toBe(true);
    expect(workers[0].namespaceSelector).toEqual({});
    expect(ingress).toEqual([{ ports: [{ port: 'http' }] }]);
  });

  test('let workers reach name servers, brokers, the registry and every exchange, and no API server', () => {
    const { podSelector, egress } = policyOf(renderSet('network-policy'), workersName);
    expect(isSelected(workerLabels, podSelector.matchLabels)).toBe(true);
    const allowed = portsOf(egress);
    expect(allowed).toEqual([53, 53, 9093, 9094, 8081, 443, 8443, 9443]);
    for (const { webSocketUrl, restUrl } of Object.values(exchanges)) {
      for (const url of [webSocketUrl, restUrl]) expect(allowed, url).toContain(Number(new URL(url).port || 443));
    }
  });

  test.each([
    [{}, releaseNamespace],
    [{ watchNamespace: 'market-data' }, 'market-data'],
    [{ 'networkPolicy.workers.namespaces': ['a'] }, 'a'],
  ])('for workers are where the workers are: %j', (values, namespace) => {
    const manifests = render({ 'networkPolicy.workers.enabled': true, ...values });
    expect(one(manifests, 'NetworkPolicy').metadata.namespace).toBe(namespace);
  });

  test('end at the watched namespace', () => {
    const manifests = render({ 'networkPolicy.enabled': true, watchNamespace: 'market-data' });
    expect(policyOf(manifests, controllerName).egress.at(-1)).toMatchObject({
      to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'market-data' } } }],
    });
  });

  test('name peers and ports that are given instead of those that follow from the addresses', () => {
    const manifests = renderSet('everything');
    const { egress, ingress } = policyOf(manifests, 'feed-controller');
    expect(portsOf(egress)).toEqual([6443, 53, 53, 9093, 9094, 8081, 'http', 3128]);
    // All but the last, which is given whole, say where to.
    expect(egress.filter(({ to }) => to === undefined)).toHaveLength(1);
    const monitoring = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } };
    expect(ingress[0]?.from).toContainEqual(monitoring);
    const pod = manifests.find(({ kind }) => kind === 'Pod');
    const ofTest = ingress[0]?.from?.[0] as { podSelector: { matchLabels: Record<string, string> } };
    expect(isSelected(pod?.metadata.labels, ofTest.podSelector.matchLabels)).toBe(true);
    const workers = manifests.filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name !== 'feed-controller',
    );
    expect(workers.map(({ metadata }) => metadata.namespace)).toEqual(['feeds-a', 'feeds-b']);
    const [first] = workers.map(({ spec }) => spec as unknown as Policy);
    expect(first?.ingress[0]?.from).toContainEqual(monitoring);
  });

  test.each([
    ['https://registry.example', 443],
    ['http://registry.example', 80],
    ['http://registry.example:8085/path', 8085],
    ['http://[::1]:8086', 8086],
  ])('take the port of the registry from its URL: %s', (url, port) => {
    const manifests = render({ 'networkPolicy.enabled': true, 'schemaRegistry.url': url });
    expect(portsOf(policyOf(manifests, controllerName).egress)).toContain(port);
  });
});

describe.skipIf(missing !== null)('monitors', () => {
  test('are not made unless asked for', () => {
    expect(kindsOf(render()).filter((kind) => kind.endsWith('Monitor'))).toEqual([]);
  });

  test('find the controller by its Service, and name the path of its metrics', () => {
    const manifests = render({ 'serviceMonitor.enabled': true });
    const { selector, endpoints } = one(manifests, 'ServiceMonitor').spec as {
      selector: { matchLabels: Record<string, string> };
      endpoints: unknown[];
    };
    expect(isSelected(one(manifests, 'Service').metadata.labels, selector.matchLabels)).toBe(true);
    expect(endpoints).toEqual([{ port: 'http', path: '/metrics' }]);
  });

  test('find workers in every namespace, or in the watched one', () => {
    const { selector, ...all } = one(render({ 'podMonitor.enabled': true }), 'PodMonitor').spec as {
      selector: { matchLabels: Record<string, string> };
      namespaceSelector: unknown;
    };
    expect(isSelected(workerLabels, selector.matchLabels)).toBe(true);
    expect(all.namespaceSelector).toEqual({ any: true });
    const watching = render({ 'podMonitor.enabled': true, watchNamespace: 'market-data' });
    expect(one(watching, 'PodMonitor').spec).toHaveProperty('namespaceSelector', { matchNames: ['market-data'] });
  });

  test('take rhythm, labels and rules', () => {
    const manifests = renderSet('everything');
    const rules = {
      relabelings: [{ targetLabel: 'cluster', replacement: 'test' }],
      metricRelabelings: [{ action: 'labeldrop', regex: 'pod' }],
    };
    const service = one(manifests, 'ServiceMonitor');
    expect(service.metadata.labels).toHaveProperty('release', 'prometheus');
    expect(service.spec?.endpoints).toMatchObject([{ interval: '30s', ...rules }]);
    const workers = one(manifests, 'PodMonitor');
    expect(workers.metadata.labels).toHaveProperty('release', 'prometheus');
    expect(workers.spec?.podMetricsEndpoints).toMatchObject([{ interval: '15s', ...rules }]);
  });
});
