// Why a pod does not get ready, as its own status tells: no node, no image, no start, no memory, or a program that
// ends. Pure. What only events tell, such as a volume that is not there, shows when the Deployment's deadline is over.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
import type { Finding } from './errors.ts';
import { type ContainerStatus, type ContainerTermination, type Pod, workerContainer } from './workload.ts';

const imageReasons = [
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
];
const startReasons = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError', 'StartError'];
// A container that ran that long starts without delay again, and has crashed by chance if it did:
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
const steadyMs = 600_000;

/** Null: it may just need time. @param nowMs wall clock, milliseconds since 1970 */
export function troubleOfPod({ metadata: { name }, status = {} }: Pod, nowMs: number): Finding | null {
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    return { reason: 'WorkersUnschedulable', seen: colons(name, scheduled.message ?? scheduled.reason) };
  }
  const { initContainerStatuses = [], containerStatuses = [] } = status;
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const named = container.name === workerContainer ? name : `${name}, container ${container.name}`;
    const trouble = container.ready ? null : troubleOfContainer(named, container, nowMs);
    if (trouble) return trouble;
  }
  return null;
}

function troubleOfContainer(pod: string, container: ContainerStatus, nowMs: number): Finding | null {
  const { restartCount, state, lastState } = container;
  const { reason = '', message } = state?.waiting ?? {};
  if (imageReasons.includes(reason)) return { reason: 'ImagePullFailed', seen: colons(pod, reason, message) };
  if (startReasons.includes(reason)) return { reason: 'WorkerCannotStart', seen: colons(pod, reason, message) };
  const ended = state?.terminated ?? lastState?.terminated;
  if (ended === undefined || isSteady(container, nowMs)) return null;
  if (startReasons.includes(ended.reason ?? '')) {
    return { reason: 'WorkerCannotStart', seen: colons(pod, ended.reason, ended.message) };
  }
  const count = restartCount + (state?.terminated ? 1 : 0);
  const times = count === 1 ? 'once' : `${count} times`;
  if (ended.reason === 'OOMKilled') {
    return {
      reason: 'WorkerOutOfMemory',
      seen: `${pod} was killed ${times} because it needs more memory than its limit`,
    };
  }
  const words = colons(`exit code ${ended.exitCode}`, lastWords(ended));
  return { reason: 'WorkerCrashing', seen: `${pod} ended ${times}, last with ${words}` };
}

function isSteady({ state }: ContainerStatus, nowMs: number): boolean {
  const startMs = Date.parse(state?.running?.startedAt ?? '');
  return nowMs - startMs >= steadyMs;
}

/**
 * With FallbackToLogsOnError the message is the end of the log, 2 KiB of it. The program's own last line has a `msg`;
 * what Node.js dies of stands above its call stack.
 */
function lastWords({ message = '', reason }: ContainerTermination): string | undefined {
  const lines = message.trim().split('\n');
  const line = lines.findLast((it) => /^(\w*Error\b|FATAL ERROR)/.test(it)) ?? lines.at(-1) ?? '';
  // The line may have been cut at its beginning, so it need not be JSON as a whole.
  const said = /"msg":("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return (said === undefined ? line : String(JSON.parse(said))) || reason;
}

const colons = (...words: (string | undefined)[]): string => words.filter(Boolean).join(': ');
