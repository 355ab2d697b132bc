// Faults of broker and schema registry.
import { setTimeout as sleep } from 'node:timers/promises';
import { between, type Fault, type FaultContext } from '../fault.ts';
import { cutNode } from '../network.ts';
import { containerPids, killBroker, type Service, servicePid, signalAll } from '../processes.ts';
import { podWords, victim } from './workers.ts';

/** Below where the worker's requests time out, and beyond. */
const pauseSeconds = { from: 2, to: 15 };
const downSeconds = { from: 0, to: 10 };

async function pause(service: Service, { system, random, hit }: FaultContext): Promise<void> {
  const seconds = between(pauseSeconds.from, pauseSeconds.to, random);
  const pids = [servicePid(system, service)];
  signalAll(pids, 'SIGSTOP');
  hit(`${service} for ${seconds} s`);
  try {
    await sleep(seconds * 1000);
  } finally {
    signalAll(pids, 'SIGCONT');
  }
}

export const serviceFaults: Fault[] = [
  {
    name: 'broker-killed',
    doc: 'SIGKILL to the broker; it starts again at once or after some seconds, on what its disk has.',
    weight: 3,
    hits: 'all',
    losesUnproven: false,
    async run({ system, random, hit }) {
      const seconds = between(downSeconds.from, downSeconds.to, random);
      const broker = await killBroker(system);
      hit(`down for ${seconds} s`);
      try {
        await sleep(seconds * 1000);
      } finally {
        await broker.restart();
      }
    },
  },
  {
    name: 'broker-paused',
    doc: 'SIGSTOP to the broker for some seconds: connections stay, nothing is answered, outcomes are unknown.',
    weight: 3,
    hits: 'all',
    losesUnproven: false,
    run: (context) => pause('broker', context),
  },
  {
    name: 'registry-paused',
    doc: 'SIGSTOP to the schema registry for some seconds.',
    weight: 1,
    hits: 'all',
    losesUnproven: false,
    run: (context) => pause('registry', context),
  },
  {
    name: 'registry-down',
    doc: 'The registry refuses connections for some seconds, while a worker is killed and wants to start again.',
    weight: 2,
    hits: 'one',
    losesUnproven: true,
    async run(context) {
      const { system, random, hit } = context;
      const pod = await victim(context);
      const seconds = between(downSeconds.from, downSeconds.to, random);
      const { host } = new URL(system.bed.schemaRegistryUrl);
      const cut = await cutNode(system, host, 'refuse');
      try {
        signalAll(containerPids(pod), 'SIGKILL');
        hit(`down for ${seconds} s, ${podWords(pod)} killed`);
        await sleep(seconds * 1000);
      } finally {
        await cut.mend();
      }
    },
  },
];
