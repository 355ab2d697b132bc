// Who may do what: the roles that the chart makes, against what the controller lists as used.
import { describe, expect, test } from 'vitest';
import { type Permission, permissions } from '../../controller/permissions.ts';
import { type Manifest, missing, releaseNamespace, render, renderSet } from './helm.ts';
import { controllerOf, isOfTest, kindsOf, one } from './manifests.ts';

/** `<group>/<resource> <verb>` for each verb. */
const flat = (rules: { group: string; resource: string; verbs: readonly string[] }[]) =>
  rules.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${group}/${resource} ${verb}`)).sort();

const used = (isWanted: (permission: Permission) => boolean) =>
  flat(permissions.filter(isWanted).map(({ apiGroup, resource, verbs }) => ({ group: apiGroup, resource, verbs })));
const usedForFeeds = used(({ ownNamespace }) => !ownNamespace);
const usedAtHome = used(({ ownNamespace }) => ownNamespace === true);

const granted = ({ rules = [] }: Manifest) =>
  flat(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.map((resource) => ({ group, resource, verbs }))),
    ),
  );

const name = 'feeds-k2-feed-operator';

describe.skipIf(missing !== null)("the controller's rights", () => {
  test('are those that it lists as used, no verb more and none less', () => {
    const manifests = render();
    expect(granted(one(manifests, 'ClusterRole', name))).toEqual(usedForFeeds);
    expect(granted(one(manifests, 'Role', `${name}-own`))).toEqual(usedAtHome);
    expect([...usedForFeeds, ...usedAtHome].filter((right) => right.includes('*'))).toEqual([]);
  });

  test('end at the watched namespace where one is set, and at its own', () => {
    const manifests = renderSet('namespaced');
    expect(kindsOf(manifests).filter((kind) => /^Cluster|^CustomResource/.test(kind))).toEqual([]);
    const role = one(manifests, 'Role', name);
    expect(granted(role)).toEqual(usedForFeeds);
    for (const { metadata } of [role, one(manifests, 'RoleBinding', name)]) {
      expect(metadata.namespace).toBe('market-data');
    }
    const own = one(manifests, 'Role', `${name}-own`);
    expect(granted(own)).toEqual(usedAtHome);
    for (const { metadata } of [own, one(manifests, 'RoleBinding', `${name}-own`)]) {
      expect(metadata.namespace).toBe(releaseNamespace);
    }
    expect(controllerOf(manifests).environment).toHaveProperty('K2_WATCH_NAMESPACE', 'market-data');
  });

  test('to read and renew a lease are for its own lease only', () => {
    const manifests = render();
    const { rules = [] } = one(manifests, 'Role', `${name}-own`);
    const leases = rules.filter(({ resources, verbs }) => resources.includes('leases') && verbs.includes('update'));
    expect(leases).toHaveLength(1);
    expect(leases[0]?.resourceNames).toEqual([controllerOf(manifests).environment.K2_LEASE_NAME]);
  });

  test.each([{}, { watchNamespace: 'market-data' }, { 'serviceAccount.create': false, 'serviceAccount.name': 'mine' }])(
    'reach the ServiceAccount that the controller runs as: %j',
    (values) => {
      const manifests = render(values).filter((manifest) => !isOfTest(manifest));
      const bindings = manifests.filter(({ kind }) => kind.endsWith('Binding'));
      expect(bindings).toHaveLength(2);
      const { pod } = controllerOf(manifests);
      for (const { subjects, roleRef, metadata } of bindings) {
        expect(subjects).toEqual([
          { kind: 'ServiceAccount', name: pod.serviceAccountName, namespace: releaseNamespace },
        ]);
        const role = one(manifests, roleRef?.kind ?? '', roleRef?.name);
        expect(role.metadata.namespace).toBe(metadata.namespace);
      }
    },
  );

  test('are left to others with rbac.create=false', () => {
    const manifests = render({ 'rbac.create': false, 'rbac.aggregateClusterRoles': false });
    expect(kindsOf(manifests.filter((manifest) => !isOfTest(manifest))).filter((kind) => /Role/.test(kind))).toEqual(
      [],
    );
  });
});

describe.skipIf(missing !== null)("people's rights", () => {
  const label = (role: string) => `rbac.authorization.k8s.io/aggregate-to-${role}`;

  test('to read feeds come with the role view, to change them with edit and admin', () => {
    const manifests = render();
    const view = one(manifests, 'ClusterRole', `${name}-view`);
    expect(Object.keys(view.metadata.labels ?? {})).toEqual(
      expect.arrayContaining(['view', 'edit', 'admin'].map(label)),
    );
    expect(new Set(view.rules?.flatMap(({ verbs }) => verbs))).toEqual(new Set(['get', 'list', 'watch']));
    const edit = one(manifests, 'ClusterRole', `${name}-edit`);
    expect(Object.keys(edit.metadata.labels ?? {})).toEqual(expect.arrayContaining(['edit', 'admin'].map(label)));
    expect(edit.metadata.labels).not.toHaveProperty([label('view')]);
    expect(granted(edit)).toContain('feeds.k2.dev/exchangefeeds create');
    expect(granted(edit)).toContain('feeds.k2.dev/exchangefeeds/scale patch');
  });

  test('never reach the status, which only the controller writes', () => {
    const manifests = render();
    const roles = ['view', 'edit'].flatMap((role) => granted(one(manifests, 'ClusterRole', `${name}-${role}`)));
    expect(roles.filter((right) => /exchangefeeds\/status (?!get|list|watch)/.test(right))).toEqual([]);
  });
});
