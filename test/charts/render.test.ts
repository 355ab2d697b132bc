// An install with few values, as Helm renders it. Without helm all of this is skipped, which `make test` never does.
import { describe, expect, test } from 'vitest';
import { variables } from '../../controller/config.ts';
import {
  chart,
  missing,
  release,
  releaseNamespace,
  render,
  renderSet,
  required,
  run,
  valueSets,
  valuesFile,
} from './helm.ts';
import { controllerOf, idOf, isOfTest, isSelected, kindsOf, one, pods } from './manifests.ts';

describe.skipIf(missing !== null)('an install', () => {
  test.each(valueSets)('with the values of ci/%s-values.yaml passes `helm lint --strict`', (set) => {
    const answer = run(['lint', '--strict', chart, '--values', valuesFile(set)]);
    expect(answer).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  test('puts every object of its own namespace there, and labels every object', () => {
    const manifests = render({ commonLabels: { team: 'market-data' } });
    expect(kindsOf(manifests.filter((manifest) => !isOfTest(manifest))).sort()).toEqual([
      'ClusterRole',
      'ClusterRole',
      'ClusterRole',
      'ClusterRoleBinding',
      'CustomResourceDefinition',
      'Deployment',
      'Role',
      'RoleBinding',
      'Service',
      'ServiceAccount',
    ]);
    for (const { kind, metadata } of manifests) {
      const isClusterScoped = /^(ClusterRole|ClusterRoleBinding|CustomResourceDefinition)$/.test(kind);
      expect(metadata.namespace, kind).toBe(isClusterScoped ? undefined : releaseNamespace);
      expect(metadata.labels, kind).toMatchObject({ team: 'market-data', 'app.kubernetes.io/instance': release });
    }
  });

  test.each(valueSets)('with the values of ci/%s-values.yaml names no object twice', (set) => {
    const ids = renderSet(set).map(idOf);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('gives the controller its brokers, registry, worker image, lease and log level', () => {
    const { environment } = controllerOf(render({ logLevel: 'debug', 'worker.image.pullPolicy': 'Never' }));
    expect(environment).toEqual({
      K2_KAFKA_BOOTSTRAP_SERVERS: required['kafka.bootstrapServers'],
      K2_KAFKA_SCHEMA_REGISTRY_URL: required['schemaRegistry.url'],
      K2_WORKER_IMAGE: 'ghcr.io/k2-feed-operator/worker:0.1.0',
      K2_WORKER_IMAGE_PULL_POLICY: 'Never',
      K2_LEADER_ELECTION: 'true',
      K2_LEASE_NAME: `${release}-k2-feed-operator`,
      K2_LOG_LEVEL: 'debug',
    });
  });

  test('gives the controller the Secrets and TLS of brokers and registry', () => {
    expect(controllerOf(renderSet('everything')).environment).toMatchObject({
      K2_KAFKA_AUTH_SECRET: 'kafka-user',
      K2_KAFKA_TLS: 'true',
      K2_KAFKA_TLS_CA_SECRET: 'kafka-ca',
      K2_KAFKA_TLS_CERTIFICATE_SECRET: 'kafka-client',
      K2_KAFKA_SCHEMA_REGISTRY_AUTH_SECRET: 'registry-user',
      K2_KAFKA_SCHEMA_REGISTRY_TLS_CA_SECRET: 'registry-ca',
    });
  });

  test.each(valueSets)(
    'with the values of ci/%s-values.yaml sets only variables that the controller reads, each once',
    (set) => {
      const known = Object.values(variables).map(({ name }) => name);
      const names = controllerOf(renderSet(set)).container.env?.map(({ name }) => name) ?? [];
      expect(known).toEqual(expect.arrayContaining(names.filter((name) => name.startsWith('K2_'))));
      expect(new Set(names).size).toBe(names.length);
    },
  );

  test.each(valueSets)('with the values of ci/%s-values.yaml fits the restricted profile, memory bounded', (set) => {
    const all = pods(renderSet(set));
    expect(all).toHaveLength(2);
    for (const [name, pod] of all) {
      const user = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000 };
      expect(pod.securityContext, name).toEqual({ ...user, seccompProfile: { type: 'RuntimeDefault' } });
      for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) {
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
    const selector = one(manifests, 'Service').spec?.selector as Record<string, string>;
    expect(Object.keys(selector)).toHaveLength(3);
    expect(isSelected(one(manifests, 'Deployment').spec?.template?.metadata.labels, selector)).toBe(true);
    const pod = manifests.find(({ kind }) => kind === 'Pod');
    expect(isSelected(pod?.metadata.labels, selector)).toBe(false);
  });

  test('is named by its release, and by what overrides that, within the 63 characters of a label', () => {
    const names = (values: Record<string, unknown>) => render(values).map(({ metadata }) => metadata.name);
    expect(one(render(), 'Deployment').metadata.name).toBe(`${release}-k2-feed-operator`);
    expect(one(render({ nameOverride: 'k2' }), 'Deployment').metadata.name).toBe(`${release}-k2`);
    expect(one(render({ fullnameOverride: 'k2' }), 'Deployment').metadata.name).toBe('k2');
    for (const name of names({ fullnameOverride: 'k'.repeat(63) })) expect(name.length).toBeLessThanOrEqual(63);
  });

  test('can put all of it into another namespace than its own', () => {
    const manifests = render({ namespaceOverride: 'elsewhere' });
    const namespaces = manifests.map(({ metadata }) => metadata.namespace).filter((namespace) => namespace);
    expect(new Set(namespaces)).toEqual(new Set(['elsewhere']));
    const subjects = manifests.flatMap((manifest) => manifest.subjects ?? []);
    expect(subjects.map(({ namespace }) => namespace)).toEqual(subjects.map(() => 'elsewhere'));
  });
});

describe.skipIf(missing !== null)('a value', () => {
  const digest = `sha256:${'0'.repeat(64)}`;

  test.each([
    [{ 'image.tag': '9.9.9' }, 'ghcr.io/k2-feed-operator/controller:9.9.9'],
    [{ 'image.tag': '9.9.9', 'image.digest': digest }, `ghcr.io/k2-feed-operator/controller@${digest}`],
    [{ 'image.registry': 'mirror.example:5000' }, 'mirror.example:5000/k2-feed-operator/controller:0.1.0'],
    [{ 'global.imageRegistry': 'mirror.example' }, 'mirror.example/k2-feed-operator/controller:0.1.0'],
    [{ 'image.registry': '', 'image.repository': 'controller' }, 'controller:0.1.0'],
  ])('of the image counts for every pod, digest before tag: %j', (values, image) => {
    for (const [, pod] of pods(render(values))) expect(pod.containers[0]?.image).toBe(image);
  });

  test('global.imageRegistry counts for the workers, too', () => {
    const { environment } = controllerOf(render({ 'global.imageRegistry': 'mirror.example' }));
    expect(environment.K2_WORKER_IMAGE).toBe('mirror.example/k2-feed-operator/worker:0.1.0');
  });

  test('of the CRD keeps it at uninstall, lets it go, or leaves it out', () => {
    const policy = 'helm.sh/resource-policy';
    expect(one(render(), 'CustomResourceDefinition').metadata.annotations).toEqual({ [policy]: 'keep' });
    expect(one(render({ 'crds.keep': false }), 'CustomResourceDefinition').metadata).not.toHaveProperty('annotations');
    expect(kindsOf(render({ 'crds.enabled': false }))).not.toContain('CustomResourceDefinition');
  });

  test('for the pod reaches it as it is', () => {
    const { pod, container } = controllerOf(renderSet('everything'));
    expect(pod).toMatchObject({
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
      imagePullSecrets: [{ name: 'mirror' }],
      priorityClassName: 'system-cluster-critical',
      terminationGracePeriodSeconds: 60,
      volumes: [{ name: 'authorities' }],
    });
    expect(container).toMatchObject({
      args: ['--extra'],
      volumeMounts: [{ name: 'authorities', mountPath: '/etc/ssl/extra' }],
      // What is not given keeps its default.
      livenessProbe: { httpGet: { path: '/healthz' }, periodSeconds: 10, failureThreshold: 6 },
      readinessProbe: { httpGet: { path: '/readyz' }, periodSeconds: 2, failureThreshold: 2 },
    });
    expect(container.env).toContainEqual({ name: 'NODE_OPTIONS', value: '--trace-warnings' });
    expect(container.env).toContainEqual({
      name: 'NODE_NAME',
      valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } },
    });
  });

  test('for extra objects is a template, as an object and as text', () => {
    const manifests = renderSet('everything');
    expect(one(manifests, 'ConfigMap', `${release}-extra`)).toHaveProperty(
      'data.brokers',
      'kafka-0.kafka.svc:9093,kafka-1.kafka.svc:9093',
    );
    one(manifests, 'ConfigMap', 'feed-controller-text');
  });

  test('keeps the token of the ServiceAccount out of the pod', () => {
    const manifests = render({ 'serviceAccount.automount': false });
    expect(one(manifests, 'ServiceAccount')).toHaveProperty('automountServiceAccountToken', false);
    expect(controllerOf(manifests).pod).toHaveProperty('automountServiceAccountToken', false);
  });

  test('set to null leaves a field of a security context to the cluster', () => {
    const { pod } = controllerOf(render({ 'podSecurityContext.runAsUser': null }));
    expect(pod.securityContext).not.toHaveProperty('runAsUser');
    expect(pod.securityContext).toHaveProperty('runAsNonRoot', true);
  });
});
