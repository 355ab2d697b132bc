// Two workers of one shard, ended, killed, stopped and cut off in an order that a seed decides: whoever writes, those
// who read committed see each trade once, and there are no more take-overs than faults give cause for.
import { afterEach, beforeEach, expect, onTestFailed, test, vi } from 'vitest';
import type { WorkerProcess } from './process.ts';
import { becomes, createWorkerGroup, later, metric, status, type WorkerGroup, writes } from './worker-group.ts';

/** More by hand: K2_TEST_FAULTS=100. */
const faults = Number(process.env.K2_TEST_FAULTS ?? 6);
const seed = Number(process.env.K2_TEST_SEED ?? 1);
vi.setConfig({ testTimeout: 60_000 + faults * 60_000 });

let group: WorkerGroup;
beforeEach(async () => {
  group = await createWorkerGroup();
});
afterEach(() => group.end());

/** Mulberry32: small, and the same everywhere. */
function randomFrom(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const kinds = ['end', 'replace', 'kill', 'stop', 'cut'] as const;
type Kind = (typeof kinds)[number];

test(`${faults} faults from seed ${seed} lose and double no trade`, async () => {
  onTestFailed(() => console.error(`${happened.join(', ')}\n${group.lastLines()}`));
  const happened: Kind[] = [];
  const random = randomFrom(seed);
  let started = 0;
  const start = () => group.start(`worker-${started++}`);
  /** What is alive, with the name under which a killed one comes back. */
  const alive: { worker: WorkerProcess; instance: string }[] = [];
  const add = () => alive.push({ instance: `worker-${started}`, worker: start() });

  const findOwner = async (): Promise<WorkerProcess> => {
    let owner: WorkerProcess | undefined;
    const owners = async () => {
      const roles = await Promise.all(alive.map(async ({ worker }) => (await status(worker)).role));
      owner = alive.find((_, index) => roles[index] === 'owner')?.worker;
      return roles.filter((role) => role === 'owner').length;
    };
    await expect.poll(owners, later).toBe(1);
    if (owner === undefined) throw new Error('there is no owner');
    return owner;
  };

  const happen: Record<Kind, (at: number) => Promise<void>> = {
    async end(at) {
      const [gone] = alive.splice(at, 1);
      gone?.worker.child.kill('SIGTERM');
      expect(await gone?.worker.exited).toBe(0);
      add();
    },
    // As a rollout does it: the new one is ready before the old one ends.
    async replace(at) {
      add();
      for (const { worker } of alive.slice(-1))
        await expect.poll(() => worker.get('/readyz'), later).toMatchObject({ status: 200 });
      const [gone] = alive.splice(at, 1);
      gone?.worker.child.kill('SIGTERM');
      expect(await gone?.worker.exited).toBe(0);
    },
    async kill(at) {
      const [gone] = alive.splice(at, 1);
      gone?.worker.child.kill('SIGKILL');
      await gone?.worker.exited;
      const instance = gone?.instance ?? '';
      if (random() < 0.5) alive.push({ instance, worker: group.start(instance) });
      else add();
    },
    async stop(at) {
      const stopped = alive[at]?.worker;
      const others = alive.filter(({ worker }) => worker !== stopped);
      const wasOwner = stopped !== undefined && (await status(stopped)).role === 'owner';
      stopped?.child.kill('SIGSTOP');
      if (wasOwner) for (const { worker } of others) await becomes(worker, 'owner');
      stopped?.child.kill('SIGCONT');
      if (wasOwner && stopped) await becomes(stopped, 'standby');
    },
    cut: () => group.simulator.cut(),
  };

  add();
  add();
  await writes(await findOwner());
  for (let count = 0; count < faults; count++) {
    const kind = kinds[Math.floor(random() * kinds.length)] ?? 'end';
    happened.push(kind);
    await happen[kind](Math.floor(random() * alive.length));
    await writes(await findOwner());
  }
  const takeOvers = group.workers.reduce(
    (sum, { log }) => sum + log.filter(({ msg }) => msg.startsWith('took over')).length,
    0,
  );
  expect(takeOvers).toBeLessThanOrEqual(1 + 2 * faults);
  const owner = await findOwner();
  expect(await metric(owner, 'k2_worker_owner')).toBe(1);
  await group.expectEachTradeOnce([owner]);
});
