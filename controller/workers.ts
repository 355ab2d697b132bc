// What Deployments and Pods say about the workers, in the words of whoever stands in the way. Pure.
import type { Finding } from './errors.ts';
import { troubleOfPod } from './pod-troubles.ts';
import {
  type Deployment,
  hasEnded,
  isEnding,
  isPaused,
  isRolledOut,
  type Pod,
  shardOf,
  type WorkloadCondition,
  workerContainer,
} from './workload.ts';

/**
 * @param shards how many there should be
 * @param present Deployments of those that there are
 * @param nowMs wall clock, milliseconds since 1970
 */
export function judgeWorkers(shards: number, present: Deployment[], pods: Pod[], nowMs: number): Finding {
  if (present.length === 0) {
    const seen = 'There are no workers yet: they follow once topics and subjects are ready';
    return { reason: 'WorkersPending', seen };
  }
  if (isPaused(present)) return judgePaused(pods);
  // A new pod that cannot start shows beside an old one that goes on, too.
  const unfinished = present.filter((it) => !isRolledOut(it) || outdatedOf(it) !== null);
  const unready = pods.filter((pod) => isLive(pod) && unfinished.map(shardOf).includes(shardOf(pod)));
  const trouble = first(unfinished, refusalOf) ?? first(unready, (pod) => troubleOfPod(pod, nowMs));
  if (trouble) return trouble;
  const slow = first(unfinished, overdueOf);
  if (slow) return slow;
  const { available, replicas } = countWorkers(present, 'availableReplicas');
  const seen = `${available} of ${replicas} workers are available`;
  if (present.length < shards) {
    return { reason: 'WorkersPending', seen: `${present.length} of ${shards} shards have workers` };
  }
  if (unfinished.length === 0) return { reason: 'AllWorkersAvailable', seen };
  const outdated = first(unfinished, outdatedOf);
  if (outdated && unfinished.every(isRolledOut)) return outdated;
  const lost = unready.find((pod) => wasAvailable(unfinished, pod) && isStarted(pod));
  return lost === undefined
    ? { reason: 'WorkersStarting', seen }
    : { reason: 'WorkersNotReady', seen: `${seen}: ${lost.metadata.name} runs and is not ready` };
}

/** What one says that is on its way out, or out, is no trouble of the feed's any more. */
const isLive = (pod: Pod): boolean => !hasEnded(pod) && !isEnding(pod);

function judgePaused(pods: Pod[]): Finding {
  const left = pods.filter((pod) => !hasEnded(pod)).map(({ metadata }) => metadata.name);
  const seen = left.length === 0 ? 'no worker runs' : `its workers end: ${left.join(', ')}`;
  return { reason: 'WorkersPaused', seen: `The feed is paused, and ${seen}` };
}

/** During an update old and new workers count together, so each shard counts for no more than it should have. */
export function countWorkers(deployments: Deployment[], which: 'availableReplicas' | 'readyReplicas') {
  const counts = deployments.map(({ spec, status }) => Math.min(status?.[which] ?? 0, spec.replicas));
  const sum = (numbers: number[]) => numbers.reduce((total, count) => total + count, 0);
  return { available: sum(counts), replicas: sum(deployments.map(({ spec }) => spec.replicas)) };
}

/** https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment */
function refusalOf({ metadata, status }: Deployment): Finding | null {
  const failure = conditionOf(status?.conditions, 'ReplicaFailure');
  if (failure?.status !== 'True') return null;
  return refusal(`${metadata.name}: ${failure.message ?? 'the API server takes no pod, and does not say why'}`);
}

/** @param words of the API server, for a Deployment or for one of its pods */
export function refusal(words: string): Finding {
  // As its admission plugin puts it, whatever was to be created: "exceeded quota: team-a, requested: pods=1, ...".
  return { reason: words.includes('exceeded quota') ? 'QuotaExceeded' : 'WorkersRefused', seen: words };
}

/** No step forward for `progressDeadlineSeconds`, 10 minutes, and nothing that its pods say explains it. */
function overdueOf({ metadata, status }: Deployment): Finding | null {
  const progressing = conditionOf(status?.conditions, 'Progressing');
  if (progressing?.reason !== 'ProgressDeadlineExceeded') return null;
  const seen = `${metadata.name}: ${progressing.message ?? 'no worker got ready in time'}`;
  return { reason: 'ProgressDeadlineExceeded', seen };
}

/** One of the old configuration may still be the owner, and write to where the feed does not want it any more. */
function outdatedOf({ metadata, status = {} }: Deployment): Finding | null {
  const outdated = (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  if (outdated <= 0) return null;
  const seen = `${metadata.name}: ${outdated} workers of an older configuration have not ended yet`;
  return { reason: 'WorkersStarting', seen };
}

/** The pod's Deployment was rolled out once: what is missing now was there before. */
function wasAvailable(deployments: Deployment[], pod: Pod): boolean {
  const own = deployments.find((deployment) => shardOf(deployment) === shardOf(pod));
  return conditionOf(own?.status?.conditions, 'Progressing')?.reason === 'NewReplicaSetAvailable';
}

/** Its start-up probe has passed, so it does not wait for a node, an image or the CPU to load its program. */
const isStarted = ({ status }: Pod): boolean =>
  status?.containerStatuses?.some(({ name, started }) => name === workerContainer && started) === true;

const conditionOf = (conditions: WorkloadCondition[] | undefined, type: string): WorkloadCondition | undefined =>
  conditions?.find((condition) => condition.type === type);

function first<T>(items: T[], find: (item: T) => Finding | null): Finding | undefined {
  return items.map(find).find((finding) => finding !== null);
}
