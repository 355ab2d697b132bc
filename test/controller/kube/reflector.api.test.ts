// Reflectors on a real API server that is killed, paused, cut off, throttled, or forgets its history.

import { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../controller/kube/clock.ts';
import { listAll } from '../../../controller/kube/list.ts';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import type { KubeObject } from '../../../controller/kube/object.ts';
import { createReflector } from '../../../controller/kube/reflector.ts';
import { createTransport, type Transport } from '../../../controller/kube/transport.ts';
import { until } from '../../cluster/until.ts';
import { ControlPlane } from '../../services/control-plane.ts';
import { startLine } from './line.ts';

/** A busy machine's time for what takes an idle one seconds. */
const slowMs = 60_000;
const path = '/api/v1/namespaces/default/configmaps';
const forever = new AbortController().signal;

let plane: ControlPlane;
let admin: Transport;

beforeAll(async () => {
  plane = await ControlPlane.start({ feeds: false });
  admin = createTransport(plane.kubeConfig, { userAgent: 'test' });
});

afterAll(async () => {
  await admin?.close();
  await plane?.close();
});

const create = (name: string) =>
  admin.request('POST', path, { body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } });
const change = (name: string) =>
  admin.request('PATCH', `${path}/${name}`, {
    contentType: 'application/merge-patch+json',
    body: { data: { changed: String(Math.random()) } },
  });
const remove = (name: string) => admin.request('DELETE', `${path}/${name}`);

/** A reflector of the namespace's ConfigMaps over a line of its own, whose changes are noted. */
async function startMirror(kubeConfig: KubeConfig, idleMsMax?: number) {
  const line = await startLine(kubeConfig);
  const registry = new Registry();
  const metrics = createKubeMetrics(registry);
  const transport = createTransport(line.kubeConfig, { userAgent: 'mirror', metrics });
  /** By key, what the changes told add up to: the resourceVersion, as the copy has to have it. */
  const told = new Map<string, string>();
  const reflector = createReflector({
    name: 'configmaps',
    transport,
    path,
    onChange: (key, previous, current) => {
      expect(told.get(key)).toBe(previous?.metadata.resourceVersion);
      if (current === null) told.delete(key);
      else told.set(key, current.metadata.resourceVersion ?? '');
    },
    clock: systemClock,
    random: Math.random,
    log: pino({ level: 'silent' }),
    metrics,
    ...(idleMsMax && { idleMsMax }),
  });
  const stop = new AbortController();
  const ended = reflector.run(stop.signal);
  onTestFinished(async () => {
    stop.abort(new Error('the test ends'));
    await ended;
    await transport.close();
    await line.close();
  });
  await reflector.synced;
  const count = async (metric: string, code?: string) => {
    const values = (await registry.getSingleMetric(metric)?.get())?.values ?? [];
    return values.find(({ labels }) => code === undefined || labels.code === code)?.value ?? 0;
  };
  return {
    line,
    lists: () => count('reflector_lists_total'),
    watches: () => count('reflector_watches_total'),
    answered: () => count('rest_client_requests_total', '200'),
    refusals: () => count('rest_client_requests_total', '429'),
    /** Waits until copy and changes are what the server has. */
    async isCurrent() {
      const { objects } = await listAll<KubeObject>(admin, path, {}, forever);
      const wanted = versions([...objects.entries()]);
      await until(`a copy of ${wanted}`, slowMs, () => {
        const copy = versions(reflector.list().map((it) => [`${it.metadata.namespace}/${it.metadata.name}`, it]));
        const toldOf = [...told].map(([key, version]) => `${key} ${version}`).sort();
        return copy === wanted && toldOf.join() === wanted ? true : undefined;
      });
    },
  };
}

const versions = (objects: [string, KubeObject][]) =>
  objects
    .map(([key, { metadata }]) => `${key} ${metadata.resourceVersion}`)
    .sort()
    .join();

/** An object that stays, one that is changed, one that goes and one that comes, while the mirror cannot see it. */
async function changeMuch(prefix: string): Promise<void> {
  await create(`${prefix}-new`);
  await change(`${prefix}-changed`);
  await remove(`${prefix}-removed`);
}

async function prepare(prefix: string): Promise<void> {
  for (const name of ['kept', 'changed', 'removed']) await create(`${prefix}-${name}`);
}

test('a broken connection is made again, and what happened meanwhile is seen without a new list', async () => {
  await prepare('cut');
  const mirror = await startMirror(plane.kubeConfig);
  await mirror.isCurrent();
  mirror.line.cut();
  await changeMuch('cut');
  mirror.line.heal();
  await mirror.isCurrent();
  expect(await mirror.lists()).toBe(1);
});

test('a connection that is dead without a word is given up when even bookmarks do not come', async () => {
  await prepare('swallow');
  const mirror = await startMirror(plane.kubeConfig, 3_000);
  await mirror.isCurrent();
  mirror.line.swallow();
  await changeMuch('swallow');
  await mirror.isCurrent();
  expect(await mirror.lists()).toBe(1);
});

test('a killed API server is waited for, and what happens after its start is seen', async () => {
  await prepare('kill');
  const mirror = await startMirror(plane.kubeConfig);
  await plane.kill('kube-apiserver');
  await plane.start('kube-apiserver');
  await changeMuch('kill');
  await mirror.isCurrent();
});

test('a paused API server is waited for, and what happens after it goes on is seen', async () => {
  await prepare('pause');
  const mirror = await startMirror(plane.kubeConfig, 3_000);
  plane.pause('kube-apiserver');
  const changed = changeMuch('pause');
  await until('a watch that was given up', slowMs, async () => ((await mirror.watches()) >= 2 ? true : undefined));
  plane.resume('kube-apiserver');
  await changed;
  await mirror.isCurrent();
});

test('history that was compacted away is made up for by a new list, deletions included', async () => {
  await prepare('compact');
  const mirror = await startMirror(plane.kubeConfig);
  await mirror.isCurrent();
  mirror.line.cut();
  await changeMuch('compact');
  await plane.compact();
  await plane.kill('kube-apiserver');
  await plane.start('kube-apiserver');
  mirror.line.heal();
  await mirror.isCurrent();
  expect(await mirror.lists()).toBe(2);
});

test('a killed etcd is waited for, too', async () => {
  await prepare('etcd');
  const mirror = await startMirror(plane.kubeConfig);
  await plane.kill('etcd');
  await plane.start('etcd');
  await until('the API server to write again', slowMs, () => change('etcd-kept').then(() => true));
  await changeMuch('etcd');
  await mirror.isCurrent();
});

test('a server that sends us away with 429 is asked again until it does not', async () => {
  await prepare('throttle');
  await plane.kubectl('create', 'serviceaccount', 'mirror');
  await plane.kubectl('create', 'role', 'mirror', '--verb=list,watch', '--resource=configmaps');
  await plane.kubectl('create', 'rolebinding', 'mirror', '--role=mirror', '--serviceaccount=default:mirror');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(await plane.kubeconfigOf('default', 'mirror'));
  const mirror = await startMirror(kubeConfig);
  await plane.apply(...nothingForMirror);
  const flood = startFlood(kubeConfig);
  onTestFinished(flood.end);
  await until('the API server to throttle', slowMs, () => (flood.refused() > 100 ? true : undefined));
  // Between two requests of the flood there may be a seat for one: a watch that was let in is cut off again.
  let answered = -1;
  await until('a refusal', 2 * slowMs, async () => {
    const before = answered;
    answered = await mirror.answered();
    if (answered !== before) {
      mirror.line.cut();
      mirror.line.heal();
    }
    return (await mirror.refusals()) > 0 ? true : undefined;
  });
  await changeMuch('throttle');
  await flood.end();
  await plane.kubectl('delete', 'flowschema', 'nothing-for-mirror');
  await mirror.isCurrent();
});

/** Requests without end, side by side: an account without a seat of its own still gets one while nobody has any. */
function startFlood(kubeConfig: KubeConfig) {
  // A refusal is not waited out, as the transport would; what is long is a request's own time.
  const setTimer = (ms: number, run: () => void) => systemClock.setTimer(ms < slowMs ? 0 : ms, run);
  const options = { userAgent: 'flood', clock: { ...systemClock, setTimer } };
  const transports = [createTransport(kubeConfig, options), createTransport(kubeConfig, options)];
  let refused = 0;
  let isOver = false;
  const ask = async (transport: Transport) => {
    while (!isOver) await transport.request('GET', path, { timeoutMs: slowMs }).catch(() => refused++);
  };
  const asking = transports.flatMap((transport) => Array.from({ length: 8 }, () => ask(transport)));
  return {
    refused: () => refused,
    async end() {
      isOver = true;
      await Promise.all(asking);
      await Promise.all(transports.map((it) => it.close()));
    },
  };
}

/** No seat and no queue for one account. https://kubernetes.io/docs/concepts/cluster-administration/flow-control/ */
const nothingForMirror = [
  {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'PriorityLevelConfiguration',
    metadata: { name: 'nothing' },
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 0,
        lendablePercent: 0,
        borrowingLimitPercent: 0,
        limitResponse: { type: 'Reject' },
      },
    },
  },
  {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name: 'nothing-for-mirror' },
    spec: {
      matchingPrecedence: 2,
      priorityLevelConfiguration: { name: 'nothing' },
      rules: [
        {
          subjects: [{ kind: 'ServiceAccount', serviceAccount: { name: 'mirror', namespace: 'default' } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
        },
      ],
    },
  },
];
