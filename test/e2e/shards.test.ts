// A feed whose workers change all the time: scaled, rolled, evicted, given and taken symbols. After each change the
// normalized topic, read committed, must hold every trade that the simulated exchange made, once.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type WorkerStatus, workerStatusSchema } from '../../api/worker-status.ts';
import type { SimulatorControl } from '../simulator/control.ts';
import { type Bed, openBed } from './bed.ts';
import { apply, deleteFeed, getFeed, manifestOf, ownTopics, type PartialSpec, waitReady } from './feeds.ts';
import { compareWithMade } from './made-trades.ts';
import { deploySimulator, kubectl, namespace } from './operator.ts';
import { eventually, outcomeOf } from './process.ts';

const name = 'shards';
const exchange = 'binance';
const { topic, topics } = ownTopics('e2e-shards');
const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'XRPUSDT', 'ADAUSDT'];
const added = 'LTCUSDT';
const removed: string[] = [];
// Beyond those that the simulator has from the start.
const listed = ['SOLUSDT', 'XRPUSDT', 'ADAUSDT', added];
// Enough for trades to come in every moment of a hand-over.
const tradesPerSecond = 400;
const changeSeconds = 120;
let bed: Bed;
let simulator: SimulatorControl;

const inNamespace = (...args: string[]) => kubectl(bed, '-n', namespace, ...args);
const patch = (spec: PartialSpec) =>
  inNamespace('patch', 'exchangefeed', name, '--type=merge', '-p', JSON.stringify({ spec }));
const scale = (shards: number) => inNamespace('scale', 'exchangefeed', name, `--replicas=${shards}`);

async function names(kind: string, selector = `feeds.k2.dev/feed=${name}`): Promise<string[]> {
  const out = await inNamespace('get', kind, '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}');
  return out.split(' ').filter((word) => word !== '');
}

/** As a worker sees itself, asked from inside its pod. */
async function statusOf(pod: string): Promise<WorkerStatus> {
  const ask = "fetch('http://127.0.0.1:8080/status').then((r) => r.text()).then((text) => console.log(text))";
  return workerStatusSchema.parse(JSON.parse(await inNamespace('exec', pod, '--', 'node', '-e', ask)));
}

async function workersOf(shard: number): Promise<{ pod: string; role: WorkerStatus['role'] }[]> {
  const pods = await names('pods', `feeds.k2.dev/feed=${name},feeds.k2.dev/shard=${shard}`);
  return Promise.all(pods.map(async (pod) => ({ pod, role: (await statusOf(pod)).role })));
}

/** One worker of the shard owns it, and another waits. */
async function pairOf(shard: number): Promise<{ owner: string; standby: string }> {
  return eventually(`an owner and a standby of shard ${shard}`, 60_000, async () => {
    const workers = await workersOf(shard);
    const find = (role: WorkerStatus['role']) => workers.filter((worker) => worker.role === role).map(({ pod }) => pod);
    const [owner, ...owners] = find('owner');
    const [standby, ...standbys] = find('standby');
    if (!owner || !standby || owners.length + standbys.length > 0) throw new Error(JSON.stringify(workers));
    return { owner, standby };
  });
}

/** The feed is Ready with so many shards, and no worker of an old one is left. */
async function waitForShards(shards: number): Promise<void> {
  await waitReady(bed, name, changeSeconds);
  await eventually(`${shards} shards`, changeSeconds * 1000, async () => {
    const { status } = await getFeed(bed, name);
    expect(status).toMatchObject({ shards, selector: `feeds.k2.dev/feed=${name}` });
    expect(await names('deployments')).toHaveLength(shards);
  });
  await waitReady(bed, name, changeSeconds);
}

/** The API server's answer to what `kubectl drain` asks for a pod. */
function evict(pod: string) {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
  const options = { input: JSON.stringify(body), env: { KUBECONFIG: bed.kubeconfig } };
  return outcomeOf(bed.kubectl, ['create', '--raw', path, '-f', '-'], options);
}

beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
  await simulator.reset();
  await simulator.setSymbols({ add: listed.map((symbol) => ({ symbol })) });
  await simulator.setRate({ tradesPerSecond });
  await apply(bed, manifestOf(name, { symbols, topics }));
  await waitForShards(1);
});
afterEach(async () => {
  await simulator.burst({ trades: 500 });
  await simulator.pause();
  const current = (await getFeed(bed, name)).spec.symbols;
  const question = { exchange, symbols: current, removed, topic };
  const compared = await eventually('the same trades in topic and truth', 60_000, () =>
    compareWithMade(bed, simulator, question),
  );
  console.log(`${compared} trades compared`);
  await simulator.resume();
});
afterAll(async () => {
  await deleteFeed(bed, name);
  await simulator.setSymbols({ remove: listed });
  await simulator.reset();
});

describe('no trade is lost or doubled when a feed', () => {
  test('is scaled from one shard to three', async () => {
    await scale(3);
    await waitForShards(3);
    const shards = await Promise.all([0, 1, 2].map(async (shard) => (await workersOf(shard)).map(({ pod }) => pod)));
    const spread = await Promise.all(shards.flat().map(async (pod) => (await statusOf(pod)).symbols));
    const symbolsOfAll = spread.flat().map(({ symbol }) => symbol);
    expect(symbolsOfAll.sort()).toEqual(symbols.toSorted());
  });

  test('is scaled from three shards to two, and the third keeps its symbols until they are taken', async () => {
    await scale(2);
    await waitForShards(2);
  });

  test('gets a symbol', async () => {
    await patch({ symbols: [...symbols, added] });
    await waitForShards(2);
  });

  test('loses a symbol', async () => {
    removed.push(added);
    await patch({ symbols });
    await waitForShards(2);
  });

  test('has all its workers restarted', async () => {
    const before = await names('pods');
    const deployments = (await names('deployments')).map((deployment) => `deployment/${deployment}`);
    await inNamespace('rollout', 'restart', ...deployments);
    for (const deployment of deployments) {
      await inNamespace('rollout', 'status', deployment, `--timeout=${changeSeconds}s`);
    }
    await waitReady(bed, name, changeSeconds);
    await eventually('only new pods', 60_000, async () => {
      const after = await names('pods');
      expect(after.filter((pod) => before.includes(pod))).toEqual([]);
      expect(after).toHaveLength(2);
    });
  });

  test('gets standbys, without a worker being replaced', async () => {
    const before = await names('pods');
    await patch({ standbys: 1 });
    await waitForShards(2);
    expect(await names('pods')).toEqual(expect.arrayContaining(before));
    expect((await getFeed(bed, name)).status?.workers).toBe('4/4');
    expect((await names('poddisruptionbudgets')).sort()).toEqual([`${name}-0`, `${name}-1`]);
    await pairOf(0);
    await pairOf(1);
  });

  test('has the pod of an owner deleted, and its standby takes over', async () => {
    const { owner, standby } = await pairOf(0);
    const start = performance.now();
    await inNamespace('delete', 'pod', owner, '--wait=false');
    await eventually('the standby as owner', 30_000, async () => {
      expect((await statusOf(standby)).role).toBe('owner');
    });
    console.log(`taken over ${Math.round(performance.now() - start)} ms after the deletion was asked for`);
    await waitForShards(2);
    await pairOf(0);
  });

  test('has the pod of an owner removed by force', async () => {
    const { owner, standby } = await pairOf(1);
    await inNamespace('delete', 'pod', owner, '--force', '--grace-period=0');
    await eventually('the standby as owner', 30_000, async () => {
      expect((await workersOf(1)).filter(({ role }) => role === 'owner')).toHaveLength(1);
    });
    await eventually('two workers', 60_000, async () => expect(await workersOf(1)).toHaveLength(2));
    expect((await workersOf(1)).map(({ pod }) => pod)).toContain(standby);
    await waitForShards(2);
  });

  test('has an owner evicted, and its other worker is not until there are two again', async () => {
    const { owner, standby } = await pairOf(0);
    expect(await evict(owner)).toMatchObject({ code: 0 });
    const second = await evict(standby);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/disruption budget/i);
    await waitForShards(2);
    await pairOf(0);
  });

  test('gives its standbys and a shard up again', async () => {
    await patch({ standbys: 0, shards: 1 });
    await waitForShards(1);
    await eventually('one worker and no budget', 60_000, async () => {
      expect(await names('pods')).toHaveLength(1);
      expect(await names('poddisruptionbudgets')).toEqual([]);
    });
  });
});
