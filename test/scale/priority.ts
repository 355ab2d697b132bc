// Has the API server refuse whatever the controller asks, as an overloaded one does: 429 with Retry-After.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
import type { World } from './world.ts';

const name = 'scale-throttle';
const apiVersion = 'flowcontrol.apiserver.k8s.io/v1';

/** @returns what ends it */
export async function throttle({ plane, user }: World): Promise<() => Promise<void>> {
  const [, , namespace = '', account = ''] = user.split(':');
  await plane.apply(
    {
      apiVersion,
      kind: 'PriorityLevelConfiguration',
      metadata: { name },
      // No request at once, and no queue.
      spec: { type: 'Limited', limited: { nominalConcurrencyShares: 0, limitResponse: { type: 'Reject' } } },
    },
    {
      apiVersion,
      kind: 'FlowSchema',
      metadata: { name },
      spec: {
        // Before all of the API server's own.
        matchingPrecedence: 1,
        priorityLevelConfiguration: { name },
        rules: [
          {
            subjects: [{ kind: 'ServiceAccount', serviceAccount: { namespace, name: account } }],
            resourceRules: [
              { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true },
            ],
          },
        ],
      },
    },
  );
  return async () => {
    await plane.kubectl('delete', 'flowschema', name);
    await plane.kubectl('delete', 'prioritylevelconfiguration', name);
  };
}
