// What the running system costs and how fast it is: measured on a bed, from outside, as the kubelet accounts for it.
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { Bed } from '../test/e2e/bed.ts';
import { apply, deleteFeed, manifestOf, ownTopics, waitReady } from '../test/e2e/feeds.ts';
import { deploySimulator, installOperator, kubectl, namespace } from '../test/e2e/operator.ts';
import { eventually } from '../test/e2e/process.ts';
import type { SimulatorControl } from '../test/simulator/control.ts';
import { loadRows } from './load.ts';

const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
/** What Binance sent for three busy symbols on an ordinary day. */
const liveTradesPerSecond = 168;
/** The kubelet brings its figures up to date every 10 s or so: shorter windows would be mostly rounding. */
const windowMs = 30_000;
/** JIT and caches settle first. */
const warmUpMs = 20_000;
const applies = 5;

interface PodUse {
  cpuNanoseconds: number;
  atMs: number;
  workingSetBytes: number;
}

/** The kubelet's account of the pod whose name starts so. https://kubernetes.io/docs/reference/instrumentation/node-metrics/ */
async function podUse(bed: Bed, start: string): Promise<PodUse> {
  const node = (await kubectl(bed, 'get', 'nodes', '-o', 'jsonpath={.items[0].metadata.name}')).trim();
  const summary = JSON.parse(await kubectl(bed, 'get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`));
  for (const { podRef, cpu, memory } of summary.pods) {
    if (podRef.namespace !== namespace || !podRef.name.startsWith(start) || !memory?.workingSetBytes) continue;
    const { usageCoreNanoSeconds: cpuNanoseconds, time } = cpu;
    return { cpuNanoseconds, atMs: Date.parse(time), workingSetBytes: memory.workingSetBytes };
  }
  throw new Error(`the kubelet knows no pod of ${namespace} whose name starts with ${start}`);
}

/** Share of one core between two accounts. */
const cpuShare = (from: PodUse, to: PodUse) => (to.cpuNanoseconds - from.cpuNanoseconds) / 1e6 / (to.atMs - from.atMs);

const megabytes = ({ workingSetBytes }: PodUse) => `${Math.round(workingSetBytes / 1e6)} MB`;

/** Milliseconds from `kubectl apply` to the first record of the normalized topic, images present. */
async function firstRecordMs(bed: Bed, run: number): Promise<number> {
  const name = `bench-${run}`;
  const { topic, topics } = ownTopics(name);
  const brokers = bed.bootstrapServers.split(',');
  const admin = new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const startMs = performance.now();
  await apply(bed, manifestOf(name, { symbols, topics }));
  await eventually(`a record in ${topic}`, 60_000, async () => {
    const offsets = await admin.fetchTopicOffsets(topic);
    if (!offsets.some(({ high }) => BigInt(high) > 0n)) throw new Error('none yet');
  });
  const elapsedMs = performance.now() - startMs;
  await admin.disconnect();
  await deleteFeed(bed, name);
  return elapsedMs;
}

async function imageSizes(bed: Bed): Promise<string[]> {
  const images = JSON.parse(await kubectl(bed, 'get', 'nodes', '-o', 'jsonpath={.items[0].status.images}'));
  return ['controller', 'worker', 'exchange-simulator'].map((program) => {
    const found = images.find(({ names }: { names: string[] | null }) =>
      names?.some((name) => name.endsWith(`k2-feed-operator/${program}:dev`)),
    );
    return `| image of ${program}, base included | ${Math.round((found?.sizeBytes ?? Number.NaN) / 1e6)} MB |`;
  });
}

interface Use {
  cpu: string;
  workingSet: string;
}

/** What a feed's worker, and the controller meanwhile, take at an ordinary load. */
async function liveUse(
  bed: Bed,
  simulator: SimulatorControl,
  delivery: 'ExactlyOnce' | 'AtLeastOnce',
): Promise<{ worker: Use; controller: Use }> {
  const name = `bench-live-${delivery.toLowerCase()}`;
  await simulator.setRate({ tradesPerSecond: liveTradesPerSecond });
  const { topics } = ownTopics(name);
  await apply(bed, manifestOf(name, { symbols, topics, delivery }));
  await waitReady(bed, name);
  await sleep(warmUpMs);
  const pods = { worker: `${name}-0`, controller: 'feeds-k2-feed-operator' };
  const before = { worker: await podUse(bed, pods.worker), controller: await podUse(bed, pods.controller) };
  await sleep(windowMs);
  const after = { worker: await podUse(bed, pods.worker), controller: await podUse(bed, pods.controller) };
  await deleteFeed(bed, name);
  const use = (program: 'worker' | 'controller') => {
    const percent = (cpuShare(before[program], after[program]) * 100).toFixed(1);
    return { cpu: `${percent} % of a core`, workingSet: megabytes(after[program]) };
  };
  return { worker: use('worker'), controller: use('controller') };
}

/** @returns a table in Markdown */
export async function systemSection(bed: Bed): Promise<string> {
  await installOperator(bed);
  const simulator = await deploySimulator(bed);
  await simulator.reset();
  const times: number[] = [];
  for (let run = 0; run < applies; run++) times.push(await firstRecordMs(bed, run));
  times.sort((a, b) => a - b);
  const seconds = times.map((ms) => (ms / 1000).toFixed(1));

  const range = `${seconds[0]} to ${seconds.at(-1)} s in ${applies} runs`;
  const firstRecord = `median ${seconds[Math.floor(applies / 2)]} s (${range})`;

  const live = [];
  for (const delivery of ['ExactlyOnce', 'AtLeastOnce'] as const) live.push(await liveUse(bed, simulator, delivery));
  const [exactlyOnce, atLeastOnce] = live;

  // It counts a pod some ten seconds after its start, which may be after the measurement.
  const flatOutMemory = async (pod: string) =>
    megabytes(await eventually(`an account of ${pod}`, 30_000, () => podUse(bed, pod)));
  const load = await loadRows(bed, simulator, flatOutMemory);

  return `Pods on the ${bed.cluster} cluster, as the kubelet accounts for them; everything on one machine.

| | |
|---|---|
| kubectl apply to first normalized record | ${firstRecord} |
| ExactlyOnce: worker at ${liveTradesPerSecond} trades/s, CPU | ${exactlyOnce?.worker.cpu} |
| ExactlyOnce: its working set | ${exactlyOnce?.worker.workingSet} |
| AtLeastOnce: worker at ${liveTradesPerSecond} trades/s, CPU | ${atLeastOnce?.worker.cpu} |
| AtLeastOnce: its working set | ${atLeastOnce?.worker.workingSet} |
| controller with one feed, CPU | ${exactlyOnce?.controller.cpu} |
| controller with one feed, working set | ${exactlyOnce?.controller.workingSet} |
${load.join('\n')}
${(await imageSizes(bed)).join('\n')}
`;
}
