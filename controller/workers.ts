// What Deployment and Pods say about the workers, in the words of whoever stands in the way. Pure.
import type { Finding } from './errors.ts';
import type { Deployment, Pod, WorkloadCondition } from './workload.ts';

const imageReasons = ['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'ImageInspectError'];
const startReasons = ['CrashLoopBackOff', 'CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];

export function judgeWorkers(deployment: Deployment | null, pods: Pod[]): Finding {
  if (deployment === null) return { reason: 'WorkersPending', seen: 'There are no workers yet' };
  const { replicas } = deployment.spec;
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0, conditions } = deployment.status ?? {};
  const isCurrent = observedGeneration >= (deployment.metadata.generation ?? 0);
  if (isCurrent && updatedReplicas >= replicas && availableReplicas >= replicas) {
    return { reason: 'AllWorkersAvailable', seen: `${availableReplicas} of ${replicas} workers are available` };
  }
  const failure = find(conditions, 'ReplicaFailure', 'True');
  if (failure) return { reason: 'WorkersRefused', seen: failure.message ?? 'The API server refuses the pod' };
  const trouble = pods.map(troubleOf).find((finding) => finding !== null);
  return trouble ?? { reason: 'WorkersStarting', seen: `${availableReplicas} of ${replicas} workers are available` };
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
