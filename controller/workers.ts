// What Deployments and Pods say about the workers, in the words of whoever stands in the way. Pure.
import type { Finding } from './errors.ts';
import { type Deployment, isRolledOut, type Pod, shardOf, type WorkloadCondition } from './workload.ts';

const imageReasons = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'ImageInspectError'];
const startReasons = ['CrashLoopBackOff', 'CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];

/**
 * @param shards how many there should be
 * @param present Deployments of those that there are
 */
export function judgeWorkers(shards: number, present: Deployment[], pods: Pod[]): Finding {
  if (present.length === 0) return { reason: 'WorkersPending', seen: 'There are no workers yet' };
  const { available, replicas } = countWorkers(present, 'availableReplicas');
  const seen = `${available} of ${replicas} workers are available`;
  const unfinished = present.filter((it) => !isRolledOut(it));
  const failure = unfinished.map(({ status }) => find(status?.conditions, 'ReplicaFailure', 'True')).find(Boolean);
  if (failure) return { reason: 'WorkersRefused', seen: failure.message ?? 'The API server refuses the pod' };
  const unready = unfinished.map(shardOf);
  const troubles = pods.filter((pod) => unready.includes(shardOf(pod))).map(troubleOf);
  const trouble = troubles.find((finding) => finding !== null);
  if (trouble) return trouble;
  if (present.length < shards) {
    return { reason: 'WorkersPending', seen: `${present.length} of ${shards} shards have workers` };
  }
  return { reason: unfinished.length === 0 ? 'AllWorkersAvailable' : 'WorkersStarting', seen };
}

/** During an update old and new workers count together, so each shard counts for no more than it should have. */
export function countWorkers(deployments: Deployment[], which: 'availableReplicas' | 'readyReplicas') {
  const counts = deployments.map(({ spec, status }) => Math.min(status?.[which] ?? 0, spec.replicas));
  const sum = (numbers: number[]) => numbers.reduce((total, count) => total + count, 0);
  return { available: sum(counts), replicas: sum(deployments.map(({ spec }) => spec.replicas)) };
}

/** Why a pod does not get ready; null: it may just need time. */
function troubleOf(pod: Pod): Finding | null {
  const { name } = pod.metadata;
  const scheduled = find(pod.status?.conditions, 'PodScheduled', 'False');
  if (scheduled?.reason === 'Unschedulable') {
    return { reason: 'WorkersUnschedulable', seen: `${name}: ${scheduled.message ?? 'no node fits'}` };
  }
  for (const { ready, restartCount, state, lastState } of pod.status?.containerStatuses ?? []) {
    const { reason: waiting = '', message = '' } = state?.waiting ?? {};
    if (imageReasons.includes(waiting)) return { reason: 'ImagePullFailed', seen: `${name}: ${waiting}: ${message}` };
    const ended = state?.terminated ?? lastState?.terminated;
    if (ready || (restartCount === 0 && ended === undefined && !startReasons.includes(waiting))) continue;
    const words = ended === undefined ? `${waiting}: ${message}` : `exit code ${ended.exitCode}: ${lastWords(ended)}`;
    return { reason: 'WorkerCrashing', seen: `${name} ended ${restartCount} times, last with ${words}` };
  }
  return null;
}

/** With FallbackToLogsOnError the message is the end of the log: its last line is what the program died of. */
const lastWords = ({ message = '', reason = '' }: { message?: string; reason?: string }): string =>
  message.trim().split('\n').at(-1) || reason;

function find(
  conditions: WorkloadCondition[] | undefined,
  type: string,
  status: string,
): WorkloadCondition | undefined {
  return conditions?.find((condition) => condition.type === type && condition.status === status);
}
