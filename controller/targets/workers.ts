// The workload of a feed: observed in the cache of a watch, applied server-side, removed when a shard or the feed ends.

import type { DesiredWorkload } from '../desired.ts';
import { TargetError } from '../errors.ts';
import { apply, deleteObject } from '../kube/apply.ts';
import { KubeError } from '../kube/errors.ts';
import type { Transport } from '../kube/transport.ts';
import type { WorkersAction } from '../plan.ts';
import { refusal } from '../workers.ts';
import { budgets, deployments, type Workload } from '../workload.ts';
import type { Target } from './target.ts';

export interface WorkersTarget extends Target<DesiredWorkload, Workload, WorkersAction> {
  /** Begins to delete an object with what it owns; it is gone, from the cache too, once its last pod is. */
  remove(object: WorkersAction['object']): Promise<void>;
}

export interface WorkersTargetOptions {
  transport: Transport;
  /** The workload of a feed as the watches last saw it. */
  cached: (feedKey: string) => Workload;
  fieldManager: string;
}

// What a change of the feed, a quota or another object can cure: https://kubernetes.io/docs/reference/using-api/api-concepts/
const refusalStatuses = [400, 403, 409, 422];

const resources = { Deployment: deployments, PodDisruptionBudget: budgets } as const;

export function createWorkersTarget({ transport, cached, fieldManager }: WorkersTargetOptions): WorkersTarget {
  async function remove(object: WorkersAction['object']): Promise<void> {
    const { uid } = object.metadata;
    await deleteObject(transport, resources[object.kind], object, {
      propagationPolicy: 'Foreground',
      ...(uid !== undefined && { preconditions: { uid } }),
    });
  }

  return {
    observe: async ({ feedKey }) => cached(feedKey),
    async apply(_desired, { kind, object }) {
      try {
        if (kind === 'remove') await remove(object);
        else await apply(transport, resources[object.kind], object, { fieldManager });
      } catch (error) {
        if (!(error instanceof KubeError) || !refusalStatuses.includes(error.status)) throw error;
        // What was asked is in front of what the server says.
        const said = error.message.replace(/^[A-Z]+ \S+: \d+ /, '');
        const { reason, seen } = refusal(said);
        throw new TargetError(reason, seen, { cause: error });
      }
    },
    remove,
  };
}
