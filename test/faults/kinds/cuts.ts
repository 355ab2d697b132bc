// Network cuts: both sides live, and do not hear each other.
import { setTimeout as sleep } from 'node:timers/promises';
import { kubectl } from '../../e2e/operator.ts';
import { between, type Fault, type FaultContext, pick } from '../fault.ts';
import { type Cut, cutNode, cutPod, type Party } from '../network.ts';
import { controllerPods } from '../system.ts';
import { podWords, victim } from './workers.ts';

/** To where a standby takes over from a silent owner (15 s), and short of where the kubelet ends a worker (30 s). */
const cutSeconds = { from: 2, to: 22 };

async function during({ random, hit }: FaultContext, what: string, begin: () => Promise<Cut>): Promise<void> {
  const seconds = between(cutSeconds.from, cutSeconds.to, random);
  const cut = await begin();
  hit(`${what} for ${seconds} s`);
  try {
    await sleep(seconds * 1000);
  } finally {
    await cut.mend();
  }
}

/** One worker of the feed from another party. */
async function cutWorker(context: FaultContext, party: Party, name: string): Promise<void> {
  const pod = await victim(context);
  await during(context, `${podWords(pod)} from ${name}`, () => cutPod(pod, party));
}

async function simulatorAddress({ system }: FaultContext): Promise<string> {
  const path = 'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}';
  return kubectl(system.bed, '-n', 'exchange-simulator', 'get', 'service', 'exchange-simulator', '-o', path);
}

export const cutFaults: Fault[] = [
  {
    name: 'worker-cut-from-broker',
    doc: 'A worker and the broker do not hear each other; it goes on reading.',
    weight: 3,
    hits: 'one',
    losesUnproven: false,
    run: (context) => cutWorker(context, context.system.bed.bootstrapServers, 'the broker'),
  },
  {
    name: 'worker-cut-from-exchange',
    doc: 'A worker and the exchange do not hear each other, by WebSocket or REST; it stays the owner.',
    weight: 2,
    hits: 'one',
    losesUnproven: true,
    run: async (context) => cutWorker(context, await simulatorAddress(context), 'the exchange'),
  },
  {
    name: 'worker-cut-off',
    doc: 'A worker hears nobody, the kubelet neither.',
    weight: 2,
    hits: 'one',
    losesUnproven: true,
    run: (context) => cutWorker(context, null, 'all'),
  },
  {
    name: 'broker-cut-off',
    doc: 'No pod and the broker hear each other.',
    weight: 2,
    hits: 'all',
    losesUnproven: false,
    run: (context) =>
      during(context, 'all pods', () => cutNode(context.system, context.system.bed.bootstrapServers, 'drop')),
  },
  {
    name: 'controller-cut-off',
    doc: 'The controller hears nobody, the API server and the workers neither.',
    weight: 1,
    hits: 'all',
    losesUnproven: false,
    async run(context) {
      const pod = pick(await controllerPods(context.system), context.random);
      await during(context, podWords(pod), () => cutPod(pod, null));
    },
  },
];
