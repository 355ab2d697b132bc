// The chart as Helm renders it. Without helm all of this is skipped, which `make test` never does.
import { describe, expect, test } from 'vitest';
import { variables } from '../../controller/config.ts';
import { permissions } from '../../controller/permissions.ts';
import {
  chart,
  helmMissing,
  type Manifest,
  type PodSpec,
  refusal,
  release,
  releaseNamespace,
  render,
  required,
  run,
} from './helm.ts';

const missing = helmMissing();
if (missing) console.warn(`SKIPPED the chart's rendering tests: ${missing}`);

function one(manifests: Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  expect(found, `one ${kind}`).toHaveLength(1);
  return found[0] as Manifest;
}

/** The pods that an install makes: of Deployments, and those of `helm test`. */
function pods(manifests: Manifest[]): [name: string, pod: PodSpec][] {
  return manifests.flatMap(({ kind, metadata, spec }) => {
    const pod = kind === 'Pod' ? (spec as unknown as PodSpec) : spec?.template?.spec;
    return pod ? [[`${kind}/${metadata.name}`, pod] as [string, PodSpec]] : [];
  });
}

function controllerOf(manifests: Manifest[]) {
  const pod = one(manifests, 'Deployment').spec?.template?.spec;
  const container = pod?.containers[0];
  if (!pod || !container) throw new Error('the Deployment has no container');
  const environment = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
  return { pod, container, environment };
}

/** `<group>/<resource> <verb>` for each verb. */
const flat = (rules: { group: string; resource: string; verbs: readonly string[] }[]) =>
  rules.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${group}/${resource} ${verb}`)).sort();

const used = flat(permissions.map(({ apiGroup, resource, verbs }) => ({ group: apiGroup, resource, verbs })));
const granted = ({ rules = [] }: Manifest) =>
  flat(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.map((resource) => ({ group, resource, verbs }))),
    ),
  );

describe.skipIf(missing !== null)('an install', () => {
  test('passes `helm lint --strict`', () => {
    const values = `${chart}/ci/minimal-values.yaml`;
    expect(run(['lint', '--strict', chart, '--values', values])).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  test('puts every object of its own namespace there, and labels every object', () => {
    const manifests = render({ commonLabels: { team: 'market-data' } });
    expect(manifests.map(({ kind }) => kind).sort()).toEqual([
      'ClusterRole',
      'ClusterRoleBinding',
      'CustomResourceDefinition',
      'Deployment',
      'Pod',
      'Service',
      'ServiceAccount',
    ]);
    for (const { kind, metadata } of manifests) {
      const isClusterScoped = /^(ClusterRole|ClusterRoleBinding|CustomResourceDefinition)$/.test(kind);
      expect(metadata.namespace, kind).toBe(isClusterScoped ? undefined : releaseNamespace);
      expect(metadata.labels, kind).toMatchObject({ team: 'market-data', 'app.kubernetes.io/instance': release });
    }
  });

  test('makes one controller, never two at a time', () => {
    expect(one(render(), 'Deployment').spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
  });

  test('gives the controller its brokers, registry, worker image and log level', () => {
    const { environment } = controllerOf(render({ logLevel: 'debug', 'worker.image.pullPolicy': 'Never' }));
    expect(environment).toEqual({
      K2_KAFKA_BOOTSTRAP_SERVERS: required['kafka.bootstrapServers'],
      K2_KAFKA_SCHEMA_REGISTRY_URL: required['schemaRegistry.url'],
      K2_WORKER_IMAGE: 'ghcr.io/k2-feed-operator/worker:0.1.0',
      K2_WORKER_IMAGE_PULL_POLICY: 'Never',
      K2_LOG_LEVEL: 'debug',
    });
  });

  test('sets no variable that the controller does not read', () => {
    const known = Object.values(variables).map(({ name }) => name);
    expect(known).toEqual(
      expect.arrayContaining(Object.keys(controllerOf(render({ watchNamespace: 'a' })).environment)),
    );
  });

  test('runs pods that the restricted Pod Security profile admits, with memory bounded', () => {
    const all = pods(render());
    expect(all).toHaveLength(2);
    for (const [name, pod] of all) {
      const user = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000 };
      expect(pod.securityContext, name).toEqual({ ...user, seccompProfile: { type: 'RuntimeDefault' } });
      for (const field of ['volumes', 'hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) {
        expect(pod, name).not.toHaveProperty(field);
      }
      for (const container of pod.containers) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container, name).toHaveProperty('resources.limits.memory');
      }
    }
  });

  test('probes liveness and readiness at the port that its Service names', () => {
    const manifests = render();
    const { container } = controllerOf(manifests);
    expect(container).toMatchObject({
      ports: [{ name: 'http', containerPort: 8080 }],
      livenessProbe: { httpGet: { path: '/healthz', port: 'http' } },
      readinessProbe: { httpGet: { path: '/readyz', port: 'http' } },
    });
    expect(one(manifests, 'Service').spec).toMatchObject({ ports: [{ name: 'http', port: 8080, targetPort: 'http' }] });
  });

  test('has a Service that finds the controller and not the pod of `helm test`', () => {
    const manifests = render({ podLabels: { tier: 'control' } });
    const selector = Object.entries(one(manifests, 'Service').spec?.selector ?? {});
    const matches = (labels: Record<string, string> = {}) => selector.every(([name, value]) => labels[name] === value);
    expect(selector).toHaveLength(3);
    expect(matches(one(manifests, 'Deployment').spec?.template?.metadata.labels)).toBe(true);
    expect(matches(one(manifests, 'Pod').metadata.labels)).toBe(false);
  });
});

describe.skipIf(missing !== null)('the rights', () => {
  test('are those that the controller lists as used, no verb more and none less', () => {
    const role = one(render(), 'ClusterRole');
    expect(granted(role)).toEqual(used);
    expect(used.filter((right) => right.includes('*'))).toEqual([]);
  });

  test('end at the watched namespace where one is set', () => {
    const manifests = render({ watchNamespace: 'market-data' });
    expect(manifests.filter(({ kind }) => kind.startsWith('ClusterRole'))).toEqual([]);
    const role = one(manifests, 'Role');
    expect(granted(role)).toEqual(used);
    const binding = one(manifests, 'RoleBinding');
    for (const { metadata } of [role, binding]) expect(metadata.namespace).toBe('market-data');
    expect(controllerOf(manifests).environment).toHaveProperty('K2_WATCH_NAMESPACE', 'market-data');
  });

  test.each([{}, { watchNamespace: 'market-data' }, { 'serviceAccount.create': false, 'serviceAccount.name': 'mine' }])(
    'reach the ServiceAccount that the controller runs as: %j',
    (values) => {
      const manifests = render(values);
      const binding = manifests.find(({ kind }) => kind.endsWith('Binding'));
      const { pod } = controllerOf(manifests);
      expect(binding?.subjects).toEqual([
        { kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: releaseNamespace },
      ]);
      const role = manifests.find(({ kind }) => kind === binding?.roleRef?.kind);
      expect(role?.metadata.name).toBe(binding?.roleRef?.name);
    },
  );
});

describe.skipIf(missing !== null)('a value', () => {
  const digest = `sha256:${'0'.repeat(64)}`;

  test.each([
    [{ 'image.tag': '9.9.9' }, 'ghcr.io/k2-feed-operator/controller:9.9.9'],
    [{ 'image.tag': '9.9.9', 'image.digest': digest }, `ghcr.io/k2-feed-operator/controller@${digest}`],
    [{ 'image.registry': 'mirror.example:5000' }, 'mirror.example:5000/k2-feed-operator/controller:0.1.0'],
    [{ 'image.registry': '', 'image.repository': 'controller' }, 'controller:0.1.0'],
  ])('of the image counts for every pod, digest before tag: %j', (values, image) => {
    for (const [, pod] of pods(render(values))) expect(pod.containers[0]?.image).toBe(image);
  });

  test('of the CRD keeps it at uninstall, lets it go, or leaves it out', () => {
    const policy = 'helm.sh/resource-policy';
    expect(one(render(), 'CustomResourceDefinition').metadata.annotations).toEqual({ [policy]: 'keep' });
    expect(one(render({ 'crds.keep': false }), 'CustomResourceDefinition').metadata).not.toHaveProperty('annotations');
    expect(render({ 'crds.enabled': false }).map(({ kind }) => kind)).not.toContain('CustomResourceDefinition');
  });

  test('for scheduling, pulling and the environment reaches the pod as it is', () => {
    const values = {
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      imagePullSecrets: [{ name: 'registry' }],
    };
    const { pod, container } = controllerOf(
      render({ ...values, extraEnv: [{ name: 'NODE_OPTIONS', value: '--trace' }] }),
    );
    expect(pod).toMatchObject(values);
    expect(container.env).toContainEqual({ name: 'NODE_OPTIONS', value: '--trace' });
  });

  // Helm's words for a breach of the schema differ a little between its versions.
  test.each([
    [{}, /kafka\.bootstrapServers is not set: name the brokers/],
    [{ 'kafka.bootstrapServers': 'redpanda:9092' }, /schemaRegistry\.url is not set: name a registry/],
    [{ 'kafka.bootstrapServer': 'a:1' }, /kafka.*bootstrapServer\b.*not allowed/],
    [{ kafak: {} }, /kafak.*not allowed/],
    [{ ...required, 'kafka.bootstrapServers': 'redpanda' }, /kafka.bootstrapServers.*does not match/i],
    [{ ...required, logLevel: 'trace' }, /logLevel.*must be one of.*debug.*info.*warn.*error/],
    [{ ...required, 'image.digest': 'sha256:12' }, /image.digest.*does not match/i],
    [
      { ...required, 'serviceAccount.create': false },
      /serviceAccount\.name is not set: with serviceAccount\.create=false/,
    ],
  ])('that is missing or wrong is refused by name: %j', (values, message) => {
    expect(refusal(values)).toMatch(message);
  });
});
