// What a real API server, and the controllers beside it, make of a feed's Deployments, budgets and pods: what it
// refuses, what it stores, and in which words it says no. Nothing runs the pods.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExchangeFeed, ExchangeFeedSpec, WorkerSpec } from '../../api/exchange-feed.ts';
import { type Access, openAccess } from '../../controller/access.ts';
import { covers } from '../../controller/covers.ts';
import { desire } from '../../controller/desired.ts';
import type { KubeObject } from '../../controller/kube/object.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { createWorkersTarget, type WorkersTarget } from '../../controller/targets/workers.ts';
import { judgeWorkers } from '../../controller/workers.ts';
import type { Deployment, Pod, PodDisruptionBudget } from '../../controller/workload.ts';
import { until } from '../cluster/until.ts';
import { ControlPlane } from '../services/control-plane.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

/** A busy machine's time for what takes an idle one a second. */
const slowMs = 60_000;
const controllers = ['deployment', 'replicaset', 'serviceaccount', 'resourcequota'].map((name) => `${name}-controller`);
const fieldManager = 'k2-feed-operator';

const scheduled: WorkerSpec = {
  nodeSelector: { 'kubernetes.io/arch': 'amd64' },
  tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 }],
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
      ],
    },
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { 'feeds.k2.dev/feed': 'binance' } } },
      ],
    },
  },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', minDomains: 2 },
    { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
  ],
  priorityClassName: 'system-node-critical',
  podAnnotations: { 'prometheus.io/scrape': 'true' },
  podLabels: { team: 'market-data' },
};
const withSecrets: Access = {
  ...openAccess,
  mounts: [
    { use: 'kafka-auth', secretName: 'kafka', keys: ['username', 'password'] },
    { use: 'kafka-ca', secretName: 'cluster', keys: ['ca.crt'] },
  ],
  hash: 'abc',
};
const feeds: [string, Partial<ExchangeFeedSpec>, Access?][] = [
  ['the smallest', {}],
  ['shards and standbys', { symbols: ['A', 'B', 'C', 'D'], shards: 3, standbys: 1 }],
  ['at least once', { delivery: 'AtLeastOnce', worker: { resources: { limits: { cpu: 1, memory: '1024Mi' } } } }],
  ['paused', { state: 'Paused', standbys: 1 }],
  ['placed', { worker: scheduled }],
  ['with Secrets', {}, withSecrets],
];

let plane: ControlPlane;
let transport: Transport;
let target: WorkersTarget;

const workloadOf = (feed: ExchangeFeed, access?: Access) => desire(feed, config, schemas, access).workload;
const feedIn = (namespace: string, changes: Partial<ExchangeFeedSpec> = {}): ExchangeFeed => {
  const feed = sampleFeed(changes);
  return { ...feed, metadata: { ...feed.metadata, namespace } };
};
const templateOf = (deployment: Deployment) =>
  deployment.spec.template as { metadata: object; spec: { containers: object[] } };
const inNamespace = (namespace: string, ...words: string[]) => plane.kubectl('-n', namespace, ...words);
const get = async <T>(namespace: string, ...words: string[]): Promise<T> =>
  JSON.parse(await inNamespace(namespace, 'get', ...words, '-o', 'json')) as T;
const getDeployment = (namespace: string) => get<Deployment>(namespace, 'deployment', 'binance-0');
const countOf = async (namespace: string, kind: string) =>
  (await get<{ items: object[] }>(namespace, kind)).items.length;

/** As the API server answers, warnings and unknown fields counted as refusals; nothing is stored. */
async function dryRun(name: string, ...items: object[]): Promise<string> {
  const file = join(plane.folder, `${name}.json`);
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  return plane.kubectl('apply', '--server-side', '--dry-run=server', '--warnings-as-errors', '-f', file);
}

/** @returns the namespace, with the account that every pod needs */
async function makeNamespace(name: string, profile = 'restricted'): Promise<string> {
  const modes = ['enforce', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, profile]);
  await plane.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: Object.fromEntries(modes) } });
  await until(`the account of ${name}`, slowMs, () => get(name, 'serviceaccount', 'default'));
  return name;
}

async function applyAll(feed: ExchangeFeed, access?: Access): Promise<void> {
  const workload = workloadOf(feed, access);
  for (const object of [...workload.deployments, ...workload.budgets]) {
    await target.apply(workload, { target: 'workers', kind: 'apply', object });
  }
}

/** What the controller would say of the feed's workers once the API server has said no to them. */
async function refusalIn(namespace: string, worker: WorkerSpec = {}) {
  await applyAll(feedIn(namespace, { worker }));
  return until(`a refusal in ${namespace}`, slowMs, async () => {
    const pods = await get<{ items: Pod[] }>(namespace, 'pods');
    const finding = judgeWorkers(1, [await getDeployment(namespace)], pods.items, Date.now());
    return finding.reason === 'WorkersStarting' ? undefined : finding;
  });
}

beforeAll(async () => {
  plane = await ControlPlane.start({ controllers });
  transport = createTransport(plane.kubeConfig, { userAgent: 'workload-test' });
  target = createWorkersTarget({ transport, cached: () => ({ deployments: [], budgets: [] }), fieldManager });
});
afterAll(async () => {
  await transport?.close();
  await plane?.close();
});

describe('in a namespace that enforces the restricted profile', () => {
  let namespace: string;
  beforeAll(async () => {
    namespace = await makeNamespace('restricted');
  });

  test.each(feeds)(
    'Deployments, budgets and pods of a feed are taken without a warning: %s',
    async (name, changes, access) => {
      const { deployments, budgets } = workloadOf(feedIn(namespace, changes), access);
      const pods = deployments.map((deployment) => {
        const { metadata, spec } = templateOf(deployment);
        const named = { ...metadata, name: deployment.metadata.name, namespace };
        return { apiVersion: 'v1', kind: 'Pod', metadata: named, spec };
      });
      const answer = await dryRun(name.replaceAll(' ', '-'), ...deployments, ...budgets, ...pods);
      expect(answer.trim().split('\n')).toHaveLength(2 * deployments.length + budgets.length);
    },
  );

  test('a pod that asks for more is refused, so that the above means something', async () => {
    const [deployment] = workloadOf(feedIn(namespace)).deployments;
    if (deployment === undefined) throw new Error('no Deployment is desired');
    const { metadata, spec } = templateOf(deployment);
    const privileged = spec.containers.map((it) => ({ ...it, securityContext: { privileged: true } }));
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'p', namespace } };
    const refused = dryRun('privileged', { ...pod, spec: { ...spec, containers: privileged } });
    await expect(refused).rejects.toThrow(/violates PodSecurity "restricted:latest": privileged/);
  });
});

describe('what was applied', () => {
  test.each(feeds)('needs no second apply, which would change nothing: %s', async (name, changes, access) => {
    const namespace = await makeNamespace(`twice-${name.replaceAll(' ', '-').toLowerCase()}`);
    const feed = feedIn(namespace, changes);
    await applyAll(feed, access);
    const { deployments, budgets } = workloadOf(feed, access);
    const stored = await Promise.all(
      [...deployments, ...budgets].map(async (applied: Deployment | PodDisruptionBudget) => {
        const object = await get<KubeObject>(namespace, applied.kind, applied.metadata.name);
        expect(covers(object, applied)).toBe(true);
        return object.metadata.generation;
      }),
    );
    await applyAll(feed, access);
    const again = await Promise.all(
      [...deployments, ...budgets].map(({ kind, metadata }) => get<KubeObject>(namespace, kind, metadata.name)),
    );
    expect(again.map(({ metadata }) => metadata.generation)).toEqual(stored);
  });

  test('keeps the restart that kubectl asked for, and loses what the feed does not ask for any more', async () => {
    const namespace = await makeNamespace('restarted');
    const plain = feedIn(namespace);
    await applyAll(
      feedIn(namespace, { worker: { podAnnotations: { 'example.com/a': 'b' }, nodeSelector: { disk: 'ssd' } } }),
    );
    await inNamespace(namespace, 'rollout', 'restart', 'deployment/binance-0');
    const annotationsOf = async () =>
      (templateOf(await getDeployment(namespace)).metadata as { annotations?: Record<string, string> }).annotations;
    const restarted = await annotationsOf();
    expect(Object.keys(restarted ?? {}).sort()).toEqual(['example.com/a', 'kubectl.kubernetes.io/restartedAt']);
    await applyAll(plain);
    const restartedAt = restarted?.['kubectl.kubernetes.io/restartedAt'];
    expect(await annotationsOf()).toEqual({ 'kubectl.kubernetes.io/restartedAt': restartedAt });
    expect(templateOf(await getDeployment(namespace)).spec).not.toHaveProperty('nodeSelector');
    const [applied] = workloadOf(plain).deployments;
    expect(covers(await getDeployment(namespace), applied)).toBe(true);
  });

  test('ends all pods when the feed is paused, and goes on with the same ReplicaSet afterwards', async () => {
    const namespace = await makeNamespace('paused');
    const pods = (count: number) =>
      until(`${count} pods`, slowMs, async () => ((await countOf(namespace, 'pods')) === count ? true : undefined));
    await applyAll(feedIn(namespace, { standbys: 1 }));
    await pods(2);
    await applyAll(feedIn(namespace, { standbys: 1, state: 'Paused' }));
    await pods(0);
    await applyAll(feedIn(namespace, { standbys: 1 }));
    await pods(2);
    expect(await countOf(namespace, 'replicasets')).toBe(1);
  });
});

describe('a refusal is told in the words of the API server', () => {
  test('when a quota is used up', async () => {
    const namespace = await makeNamespace('quota');
    const hard = { pods: '0' };
    await plane.apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'team', namespace },
      spec: { hard },
    });
    await until('the quota to count', slowMs, async () => {
      const { status } = await get<{ status?: { hard?: object } }>(namespace, 'resourcequota', 'team');
      return status?.hard;
    });
    const { reason, seen } = await refusalIn(namespace);
    expect(reason).toBe('QuotaExceeded');
    expect(seen).toMatch(/^binance-0: pods ".*" is forbidden: exceeded quota: team, requested: pods=1/);
  });

  test('when Pod Security forbids an annotation of the feed', async () => {
    const namespace = await makeNamespace('profile');
    const podAnnotations = { 'container.apparmor.security.beta.kubernetes.io/worker': 'unconfined' };
    const { reason, seen } = await refusalIn(namespace, { podAnnotations });
    expect(reason).toBe('WorkersRefused');
    expect(seen).toMatch(/violates PodSecurity "restricted:latest"/);
  });

  test('when the priority class is missing, or a limit range allows less', async () => {
    const priority = await refusalIn(await makeNamespace('priority'), { priorityClassName: 'missing' });
    expect(priority).toMatchObject({ reason: 'WorkersRefused', seen: expect.stringMatching(/PriorityClass.*missing/) });
    const namespace = await makeNamespace('limits');
    const limits = [{ type: 'Container', max: { memory: '64Mi' } }];
    await plane.apply({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'small', namespace },
      spec: { limits },
    });
    const limited = await refusalIn(namespace);
    expect(limited).toMatchObject({ reason: 'WorkersRefused', seen: expect.stringMatching(/maximum memory usage/) });
  });

  test('when the Deployment itself is not valid', async () => {
    const namespace = await makeNamespace('invalid');
    const applied = applyAll(feedIn(namespace, { worker: { podLabels: { 'not a label': 'x' } } }));
    await expect(applied).rejects.toMatchObject({
      reason: 'WorkersRefused',
      message: expect.stringMatching(/^Deployment\.apps "binance-0" is invalid: .*not a label/),
    });
  });
});
