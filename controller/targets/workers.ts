// The workers' Deployment: observed in the cache of a watch, applied server-side, removed at the end of a feed.

import { TargetError } from '../errors.ts';
import { apply, deleteObject } from '../kube/apply.ts';
import { KubeError } from '../kube/errors.ts';
import { keyOf } from '../kube/object.ts';
import type { Transport } from '../kube/transport.ts';
import type { WorkersAction } from '../plan.ts';
import { type Deployment, deployments } from '../workload.ts';
import type { Target } from './target.ts';

export interface WorkersTarget extends Target<Deployment, Deployment | null, WorkersAction> {
  /** Begins to delete the Deployment with its pods; it is gone, from the cache too, once the last pod is. */
  remove(deployment: Deployment): Promise<void>;
}

export interface WorkersTargetOptions {
  transport: Transport;
  /** The Deployment of a key as the watch last saw it; null: there is none. */
  cached: (key: string) => Deployment | null;
  fieldManager: string;
}

// What a change of the feed, a quota or another object can cure: https://kubernetes.io/docs/reference/using-api/api-concepts/
const refusalStatuses = [400, 403, 409, 422];

export function createWorkersTarget({ transport, cached, fieldManager }: WorkersTargetOptions): WorkersTarget {
  return {
    observe: async (desired) => cached(keyOf(desired)),
    async apply(_desired, { deployment }) {
      try {
        await apply(transport, deployments, deployment, { fieldManager });
      } catch (error) {
        if (!(error instanceof KubeError) || !refusalStatuses.includes(error.status)) throw error;
        // What was asked is in front of what the server says.
        const said = error.message.replace(/^[A-Z]+ \S+: \d+ /, '');
        throw new TargetError('WorkersRefused', said, { cause: error });
      }
    },
    async remove(deployment) {
      const { uid } = deployment.metadata;
      await deleteObject(transport, deployments, deployment, {
        propagationPolicy: 'Foreground',
        ...(uid !== undefined && { preconditions: { uid } }),
      });
    },
  };
}
