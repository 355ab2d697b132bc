// The chart on a real API server: everything it renders is taken, its roles grant what they say, and `helm test`, an
// upgrade and an uninstall leave feeds alone. No pod runs here.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { permissions } from '../../controller/permissions.ts';
import { run as command } from '../cluster/command.ts';
import { ControlPlane } from '../services/control-plane.ts';
import {
  chart,
  type Manifest,
  missing,
  release,
  releaseNamespace,
  renderSet,
  run,
  valueSets,
  valuesFile,
} from './helm.ts';
import { idOf, isOfTest, pods } from './manifests.ts';

const namespaces = [releaseNamespace, 'market-data', 'feeds-a', 'feeds-b'];
const root = join(import.meta.dirname, '../..');
/** What an install made before there was leader election, with ci/minimal-values.yaml. */
const earlier = join(import.meta.dirname, 'earlier-install.yaml');

// What rights add up to, and accounts that rights can be given to.
const controllers = ['clusterrole-aggregation-controller', 'serviceaccount-controller'];

let plane: ControlPlane;
let folder: string;

/** Of a resource that somebody else's operator would define: anything goes. */
const stubCrd = (group: string, kind: string) => {
  const names = { kind, plural: `${kind.toLowerCase()}s` };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${group}` },
    spec: { group, names, scope: 'Namespaced', versions: [{ name: 'v1', served: true, storage: true, schema }] },
  };
};

const namespaceOf = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' },
  },
});

beforeAll(async () => {
  if (missing) return;
  folder = await mkdtemp(join(tmpdir(), 'k2-chart-'));
  plane = await ControlPlane.start({ feeds: false, controllers });
  const monitors = ['ServiceMonitor', 'PodMonitor'].map((kind) => stubCrd('monitoring.coreos.com', kind));
  await plane.apply(...namespaces.map(namespaceOf), ...monitors);
  await plane.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s');
});

afterAll(async () => {
  await plane?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** `kubectl apply` of objects; a warning, of Pod Security for example, is an error. */
const apply = (manifests: object[], ...flags: string[]): Promise<string> =>
  command(
    [plane.kubectlProgram, `--kubeconfig=${plane.kubeconfig}`, '--warnings-as-errors', ...flags, 'apply', '-f', '-'],
    { input: manifests.map((manifest) => stringify(manifest)).join('---\n') },
  );

const helm = (...args: string[]) => run([...args, '--namespace', releaseNamespace], { KUBECONFIG: plane.kubeconfig });

const get = async (...words: string[]): Promise<Manifest> =>
  JSON.parse(await plane.kubectl('get', ...words, '-o', 'json')) as Manifest;

/** Verb, resource as `<group>/<resource>/<subresource>`, its name where it counts, and the namespace. */
type Right = [verb: string, what: string, name: string, namespace: string];

/** Those of some rights that somebody does not have, by the API server's own judgement. */
async function lacking(user: string, rights: Right[]): Promise<string[]> {
  const reviews = rights.map(([verb, what, name, namespace]) => {
    const [group = '', resource = '', subresource = ''] = what.split('/');
    const resourceAttributes = { verb, group, resource, subresource, name, namespace };
    const groups = ['system:authenticated'];
    return {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user, groups, resourceAttributes },
    };
  });
  const list = { apiVersion: 'v1', kind: 'List', items: reviews };
  const words = ['create', '-f', '-', '-o', 'jsonpath={.status.allowed}{"\\n"}'];
  const input = JSON.stringify(list);
  const answer = await command([plane.kubectlProgram, `--kubeconfig=${plane.kubeconfig}`, ...words], { input });
  const allowed = answer.trim().split('\n');
  expect(allowed).toHaveLength(rights.length);
  return rights.filter((_, index) => allowed[index] !== 'true').map((right) => right.join(' '));
}

describe.skipIf(missing !== null)('what the chart renders', () => {
  // Helm takes over nothing that it did not make.
  afterEach(() => plane.kubectl('delete', 'serviceaccount', '--all', '-n', releaseNamespace));

  test.each(valueSets)('with the values of ci/%s-values.yaml is taken by the API server', async (set) => {
    const manifests = renderSet(set).filter(({ kind }) => kind !== 'Pod');
    const answer = await apply(manifests, '--dry-run=server');
    expect(answer.trim().split('\n')).toHaveLength(manifests.length);
  });

  test.each(valueSets)(
    'with the values of ci/%s-values.yaml has pods that a restricted namespace admits',
    async (set) => {
      const manifests = renderSet(set);
      // A pod is refused where its ServiceAccount is not there.
      await apply(manifests.filter(({ kind }) => kind === 'ServiceAccount'));
      const bare = pods(manifests).map(([, spec], index) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `pod-${index}`, namespace: releaseNamespace },
        spec,
      }));
      expect(await apply(bare, '--dry-run=server')).toMatch(/created.*created/s);
      const privileged = { ...bare[0], spec: { ...bare[0]?.spec, securityContext: {} } };
      await expect(apply([privileged], '--dry-run=server')).rejects.toMatchObject({
        lastLines: [expect.stringContaining('violates PodSecurity')],
      });
    },
  );
});

/** A chart that renders what an earlier one did, so that helm knows a release of it. */
async function earlierChart(): Promise<string> {
  const path = join(folder, 'earlier');
  await mkdir(join(path, 'templates'), { recursive: true });
  const meta = { apiVersion: 'v2', name: 'k2-feed-operator', version: '0.0.1' };
  await writeFile(join(path, 'Chart.yaml'), stringify(meta));
  await writeFile(join(path, 'templates/all.yaml'), await readFile(earlier, 'utf8'));
  return path;
}

describe.skipIf(missing !== null)('a release', () => {
  const deployment = ['deployment', `${release}-k2-feed-operator`, '-n', releaseNamespace];
  const feed = ['exchangefeed', 'binance', '-n', releaseNamespace];
  const minimal = ['--values', valuesFile('minimal')];
  let before: Manifest;

  test('of an earlier chart is upgraded: selector, CRD and feeds stay, and nothing that it made is gone', async () => {
    helm('install', release, await earlierChart());
    await plane.kubectl('wait', '--for=condition=Established', 'crd/exchangefeeds.feeds.k2.dev', '--timeout=60s');
    await plane.kubectl('apply', '-n', releaseNamespace, '-f', join(root, 'examples/binance.yaml'));
    before = await get(...feed);
    const old = await get(...deployment);

    helm('upgrade', release, chart, ...minimal);

    expect((await get(...deployment)).spec?.selector).toEqual(old.spec?.selector);
    expect((await get(...deployment)).metadata).toHaveProperty('uid', (old.metadata as { uid?: string }).uid);
    expect((await get(...feed)).metadata).toHaveProperty('uid', (before.metadata as { uid?: string }).uid);
    const was = parseAllDocuments(await readFile(earlier, 'utf8')).map((document) => document.toJS() as Manifest);
    const now = new Set(renderSet('minimal').map(idOf));
    expect(was.filter((manifest) => !isOfTest(manifest) && !now.has(idOf(manifest)))).toEqual([]);
  });

  test.each(['--server-side=true', '--server-side=false'])('becomes highly available and single again: %s', (mode) => {
    helm('upgrade', release, chart, '--values', valuesFile('highly-available'), mode);
    helm('upgrade', release, chart, ...minimal, mode);
  });

  test("gives the controller's account each right that it lists, where it needs it, and no more", async () => {
    const account = `system:serviceaccount:${releaseNamespace}:${release}-k2-feed-operator`;
    const listed = permissions.flatMap(({ apiGroup, resource, verbs, ownNamespace }) =>
      verbs.map((verb): Right => {
        // The one lease that it may read and renew.
        const name = resource === 'leases' && verb !== 'create' ? `${release}-k2-feed-operator` : '';
        return [verb, `${apiGroup}/${resource}`, name, ownNamespace ? releaseNamespace : 'default'];
      }),
    );
    expect(await lacking(account, listed)).toEqual([]);
    const others: Right[] = [
      ['get', 'coordination.k8s.io/leases', 'another', releaseNamespace],
      ['create', 'coordination.k8s.io/leases', '', 'default'],
      ['get', '/configmaps', '', 'default'],
      ['delete', 'feeds.k2.dev/exchangefeeds', '', 'default'],
      ['create', '/pods', '', releaseNamespace],
    ];
    expect(await lacking(account, others)).toHaveLength(others.length);
  });

  test('lets people with the role view read feeds, and those with edit or admin change them', async () => {
    const right = (verb: string, part = ''): Right => [verb, `feeds.k2.dev/exchangefeeds${part}`, '', 'market-data'];
    const reading = [right('get'), right('list'), right('watch'), right('get', '/scale')];
    const changing = ['create', 'update', 'patch', 'delete']
      .map((verb) => right(verb))
      .concat([right('patch', '/scale')]);
    for (const role of ['view', 'edit', 'admin']) {
      const binding = ['rolebinding', `one-with-${role}`, `--clusterrole=${role}`, `--user=one-with-${role}`];
      await plane.kubectl('create', ...binding, '-n', 'market-data');
      const granted = role === 'view' ? reading : [...reading, ...changing];
      const missed = () => lacking(`one-with-${role}`, granted);
      // A controller adds them to the cluster's roles.
      await expect.poll(missed, { timeout: 60_000, interval: 200 }).toEqual([]);
      const status = right('patch', '/status');
      expect(await lacking(`one-with-${role}`, [status])).toEqual([status.join(' ')]);
    }
    expect(await lacking('one-with-view', changing)).toHaveLength(changing.length);
  });

  test('is found right by what `helm test` runs, with the rights that it has there', async () => {
    const ofTest = renderSet('minimal').filter(isOfTest);
    await apply(ofTest.filter(({ kind }) => kind !== 'Pod'));
    const { status, output } = await check(ofTest, 200);
    expect(output).toMatch(/ok +the controller is ready.*ok +the API server takes a feed.*ok +the API server refuses/s);
    expect(status).toBe(0);
    expect(await plane.kubectl('get', 'exchangefeeds', '-A', '-o', 'name')).toBe('exchangefeed.feeds.k2.dev/binance\n');
  });

  test('is found wrong where the controller is not ready', async () => {
    const { status, output } = await check(renderSet('minimal').filter(isOfTest), 503);
    expect(output).toContain('FAILED the controller is ready');
    expect(output).toContain('it says: not listed yet');
    expect(status).toBe(1);
  });

  test('that is uninstalled leaves the CRD and the feeds', async () => {
    helm('uninstall', release);
    expect((await get(...feed)).metadata).toHaveProperty('uid', (before.metadata as { uid?: string }).uid);
    await expect(get(...deployment)).rejects.toThrow();
  });
});

/** Runs the command of `helm test`'s pod as the pod's account, with a controller that answers `ready` at /readyz. */
async function check(ofTest: Manifest[], ready: number): Promise<{ status: number; output: string }> {
  const [, pod] = pods(ofTest)[0] ?? [];
  const container = pod?.containers[0];
  if (!pod || !container) throw new Error('helm test has no pod');
  const controller = createServer((_, answer) => answer.writeHead(ready).end('not listed yet'));
  await new Promise<void>((resolve) => controller.listen(0, '127.0.0.1', resolve));
  const { port } = controller.address() as AddressInfo;
  const account = pod.serviceAccountName as string;
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, await plane.kubectl('create', 'token', account, '-n', releaseNamespace));
  const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
  const here = {
    NODE_EXTRA_CA_CERTS: join(plane.folder, 'certificates/ca.crt'),
    READY_URL: `http://127.0.0.1:${port}/readyz`,
    API_URL: plane.server,
    TOKEN_FILE: tokenFile,
  };
  const log = join(folder, `check-${ready}.log`);
  try {
    const words = [...(container.command as string[]), ...(container.args as string[])];
    const status = await command(words, { env: { ...env, ...here }, log }).then(
      () => 0,
      () => 1,
    );
    return { status, output: await readFile(log, 'utf8') };
  } finally {
    await new Promise((resolve) => controller.close(resolve));
  }
}
