// Faults of Kubernetes itself and of the controller: workers should not notice.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Component } from '../../cluster/local/components.ts';
import { until } from '../../cluster/until.ts';
import { between, type Fault, pick } from '../fault.ts';
import { containerPids, signalAll, untilEnded } from '../processes.ts';
import { controllerPods, listWorkerPods } from '../system.ts';
import { podWords, restartsOf } from './workers.ts';

const downSeconds = { from: 0, to: 5 };
/** The kubelet waits up to 160 s with a container that ended for the fifth time within ten minutes. */
const restartMsMax = 200_000;

function killed(component: Component, name: string, doc: string): Fault {
  return {
    name,
    doc,
    weight: 1,
    hits: 'all',
    losesUnproven: false,
    async run({ system, random, hit }) {
      const seconds = between(downSeconds.from, downSeconds.to, random);
      await system.cluster.kill(component);
      hit(`${component}, down for ${seconds} s`);
      try {
        await sleep(seconds * 1000);
      } finally {
        await system.cluster.restart(component);
      }
    },
  };
}

export const clusterFaults: Fault[] = [
  {
    name: 'controller-killed',
    doc: 'SIGKILL to the controller; the kubelet starts it again.',
    weight: 1,
    hits: 'all',
    losesUnproven: false,
    async run({ system, random, hit }) {
      const pod = pick(await controllerPods(system), random);
      signalAll(containerPids(pod), 'SIGKILL');
      hit(podWords(pod));
      // Until the kubelet has noticed, the API server says of the dead one that it is ready.
      await until('the controller to be started again', restartMsMax, async () => {
        const [now] = await controllerPods(system);
        return restartsOf(now) > restartsOf(pod) ? true : undefined;
      });
    },
  },
  killed(
    'kube-apiserver',
    'api-server-killed',
    'SIGKILL to the API server; it starts again at once or in some seconds.',
  ),
  killed('etcd', 'etcd-killed', 'SIGKILL to etcd; it starts again at once or in some seconds.'),
  killed('kubelet', 'kubelet-killed', 'SIGKILL to the kubelet; it starts again at once or in some seconds.'),
  killed('containerd', 'containerd-killed', 'SIGKILL to containerd; containers run on, and it finds them again.'),
  {
    name: 'node-crashed',
    doc: 'SIGKILL at once to kubelet, containerd, controller and every worker, as when power fails; back in seconds.',
    weight: 1,
    hits: 'all',
    losesUnproven: true,
    async run({ system, random, hit }) {
      const seconds = between(downSeconds.from, downSeconds.to, random);
      const pods = [...(await listWorkerPods(system)), ...(await controllerPods(system))];
      const pids = pods.flatMap(containerPids);
      // First those who would start the others again.
      for (const component of ['kubelet', 'containerd'] as const) await system.cluster.kill(component);
      signalAll(pids, 'SIGKILL');
      await untilEnded(pids);
      hit(`${pods.length} pods, down for ${seconds} s`);
      try {
        await sleep(seconds * 1000);
      } finally {
        for (const component of ['containerd', 'kubelet'] as const) await system.cluster.restart(component);
      }
    },
  },
  killed('coredns', 'dns-killed', 'SIGKILL to the DNS server: names cannot be resolved for some seconds.'),
];
