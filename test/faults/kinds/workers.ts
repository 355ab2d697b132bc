// Faults of workers: their processes and their pods.
import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl, namespace } from '../../e2e/operator.ts';
import { between, type Fault, type FaultContext, pick } from '../fault.ts';
import { containerPids, signalAll, untilEnded } from '../processes.ts';
import { deleteDeployment, deletePod, deploymentsOf, evictPod, podsOf, type WorkerPod } from '../system.ts';

/** To where a standby takes over from a silent owner (15 s), and short of where the kubelet ends a worker (30 s). */
const pauseSecondsMax = 22;

/** One of the feed's pods, by the fault's next number. */
export async function victim({ system, feed, random }: FaultContext): Promise<WorkerPod> {
  return pick(await podsOf(system, feed), random);
}

export const restartsOf = (pod: WorkerPod | undefined): number =>
  pod?.status?.containerStatuses?.[0]?.restartCount ?? 0;

/** With how often its container restarted before: the kubelet waits longer each time. */
export function podWords(pod: WorkerPod): string {
  const restarts = restartsOf(pod);
  return restarts === 0 ? pod.metadata.name : `${pod.metadata.name} (restarted ${restarts} times)`;
}

/** Ends a pod by what it is given; the fault takes effect when the worker is no more: until then it writes. */
async function endPod(context: FaultContext, end: (pod: WorkerPod, pids: number[]) => unknown): Promise<void> {
  const pod = await victim(context);
  const pids = containerPids(pod);
  await end(pod, pids);
  await untilEnded(pids);
  context.hit(podWords(pod));
}

export const workerFaults: Fault[] = [
  {
    name: 'container-killed',
    doc: 'SIGKILL to a worker, as by the kernel when memory is short; the kubelet starts it again in its pod.',
    weight: 3,
    hits: 'one',
    losesUnproven: true,
    run: (context) => endPod(context, (_, pids) => signalAll(pids, 'SIGKILL')),
  },
  {
    name: 'container-terminated',
    doc: 'SIGTERM to a worker from outside of Kubernetes; the kubelet starts it again in its pod.',
    weight: 1,
    hits: 'one',
    losesUnproven: true,
    run: (context) => endPod(context, (_, pids) => signalAll(pids, 'SIGTERM')),
  },
  {
    name: 'worker-paused',
    doc: `SIGSTOP to a worker for 2 to ${pauseSecondsMax} s, then SIGCONT: it wakes up as if no time had passed.`,
    weight: 3,
    hits: 'one',
    losesUnproven: true,
    async run(context) {
      const pod = await victim(context);
      const pauseSeconds = between(2, pauseSecondsMax, context.random);
      const pids = containerPids(pod);
      signalAll(pids, 'SIGSTOP');
      context.hit(`${podWords(pod)} for ${pauseSeconds} s`);
      try {
        await sleep(pauseSeconds * 1000);
      } finally {
        signalAll(pids, 'SIGCONT');
      }
    },
  },
  {
    name: 'pod-deleted',
    doc: "kubectl delete pod: SIGTERM, and the pod's own grace.",
    weight: 3,
    hits: 'one',
    losesUnproven: true,
    run: (context) => endPod(context, (pod) => deletePod(context.system, pod)),
  },
  {
    name: 'pod-force-deleted',
    doc: 'kubectl delete pod --force --grace-period=0: the worker is killed, and its instance never comes back.',
    weight: 3,
    hits: 'one',
    losesUnproven: true,
    run: (context) => endPod(context, (pod) => deletePod(context.system, pod, 0)),
  },
  {
    name: 'pod-evicted',
    doc: 'The eviction API, as a drain of the node uses it.',
    weight: 2,
    hits: 'one',
    losesUnproven: true,
    run: (context) => endPod(context, (pod) => evictPod(context.system, pod)),
  },
  {
    name: 'rollout-restarted',
    doc: "kubectl rollout restart of one shard's Deployment.",
    weight: 3,
    hits: 'one',
    losesUnproven: false,
    async run({ system, feed, random, hit }) {
      const { metadata } = pick(await deploymentsOf(system, feed), random);
      hit(metadata.name);
      await kubectl(system.bed, '-n', namespace, 'rollout', 'restart', `deployment/${metadata.name}`);
    },
  },
  {
    name: 'deployment-deleted',
    doc: "One shard's Deployment is deleted with its pods; the controller makes it again.",
    weight: 1,
    hits: 'one',
    losesUnproven: true,
    async run({ system, feed, random, hit }) {
      const deployment = pick(await deploymentsOf(system, feed), random);
      hit(deployment.metadata.name);
      await deleteDeployment(system, deployment);
    },
  },
];
