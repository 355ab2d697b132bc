// A model of workers that share a cursor topic and a broker that keeps an epoch for each transactional id: every step
// that one of them can do next, in any order, with pauses, crashes, restarts and releases between.
import type { Owner, OwnerRecord, View } from '../../worker/cursor-records.ts';
import {
  type Claimant,
  type Decision,
  decide,
  fencedOff,
  fencedOther,
  type Ownership,
  ownerRecordOf,
  signOfLifeMs,
  standby,
  taking,
  writing,
  yielded,
} from '../../worker/ownership.ts';

/** What the model takes from the program; a test puts a broken part in, to see that the model finds it. */
export interface Rules {
  decide: typeof decide;
  taking: typeof taking;
}

export const rules: Rules = { decide, taking };

interface Heard {
  offset: number;
  atMs: number;
}

interface ModelWorker extends Claimant {
  state: 'running' | 'paused' | 'dead' | 'released';
  ownership: Ownership;
  /** Under which it writes to its own transactional id; null: it has none. */
  epoch: number | null;
  /** Whether its claim is in the log, so that signs of life follow. */
  hasClaimed: boolean;
  clockMs: number;
  /** When each shard's owner record was first seen, by shard. */
  heard: Record<number, Heard>;
  /** Decided, and not done yet: anything may happen between. */
  plan: { decision: Decision; view: View } | null;
  /** Model time of its last fencing. */
  fencedMs: number;
  /** Offset of the owner record that led to its last take-over. */
  ledBy: bigint;
  takeOvers: number;
}

export interface World {
  timeMs: number;
  /** The present owner record of each shard, with its offset. */
  log: Record<number, OwnerRecord & { offset: number }>;
  nextOffset: number;
  /** Committed, but their markers are not in the log yet, by shard. */
  landing: Record<number, OwnerRecord>;
  /** Of each shard's transactional id. */
  epochs: Record<number, number>;
  workers: ModelWorker[];
  /** Pauses, crashes and releases that may still happen. */
  faults: number;
}

/** An owner of the first worker's shard has just released it. */
export function world(claimants: readonly Claimant[], faults: number): World {
  const workers = claimants.map((claimant): ModelWorker => ({ ...claimant, ...fresh, heard: {}, takeOvers: 0 }));
  const [{ shard, symbols } = { shard: 0, symbols: [] }] = claimants;
  const log = { [shard]: { instance: 'before', state: 'released' as const, symbols, fenced: new Map(), offset: 0 } };
  return { timeMs: 0, log, nextOffset: 1, landing: {}, epochs: {}, workers, faults };
}

const fresh = {
  state: 'running' as const,
  ownership: standby,
  epoch: null,
  hasClaimed: false,
  clockMs: 0,
  plan: null,
  fencedMs: Number.NEGATIVE_INFINITY,
  ledBy: -1n,
};

/** Index of a worker, and what it does; or the marker of a shard comes into the log; or time passes for all. */
export type Step = 'time passes' | { lands: number } | { worker: number; does: Action };
type Action = 'look' | 'act' | 'claim' | 'pause' | 'go on' | 'crash' | 'restart' | 'release';

/** Everything that can happen next. */
export function stepsOf({ workers, landing, faults }: World): Step[] {
  const steps: Step[] = ['time passes', ...Object.keys(landing).map((shard) => ({ lands: Number(shard) }))];
  for (const [worker, one] of workers.entries()) {
    const can = (...actions: Action[]) => steps.push(...actions.map((does) => ({ worker, does })));
    if (one.state === 'paused') can('go on');
    if (one.state === 'dead') can('restart');
    if (one.state !== 'running') continue;
    if (one.plan) can('act');
    else if (one.ownership.kind === 'taking' && !one.hasClaimed) can('claim');
    else if (one.ownership.kind !== 'owner') can('look');
    if (faults > 0) can('pause', 'crash');
    if (faults > 0 && one.epoch !== null) can('release');
  }
  return steps;
}

/** The world after the step; the one before is left as it is. */
export function after(before: World, step: Step, { decide, taking }: Rules): World {
  const { log, landing, epochs } = before;
  const next: World = { ...before, log: { ...log }, landing: { ...landing }, epochs: { ...epochs } };
  next.workers = before.workers.map((worker) => ({ ...worker, heard: { ...worker.heard } }));
  if (step === 'time passes') {
    pass(next);
    return next;
  }
  if ('lands' in step) {
    land(next, step.lands);
    return next;
  }
  const worker = next.workers[step.worker];
  if (worker === undefined) throw new Error(`there is no worker ${step.worker}`);
  if (step.does === 'look') {
    const view = look(next, worker);
    const decision = decide(worker.ownership, worker, view);
    if (decision.kind !== 'wait') worker.plan = { decision, view };
  } else if (step.does === 'act') act(next, worker, taking);
  else if (step.does === 'claim') worker.hasClaimed = commit(next, worker, 'owning');
  else if (step.does === 'go on') worker.state = 'running';
  else if (step.does === 'restart') Object.assign(worker, fresh, { heard: {} });
  else {
    next.faults--;
    if (step.does === 'release') commit(next, worker, 'released');
    worker.state = step.does === 'pause' ? 'paused' : step.does === 'crash' ? 'dead' : 'released';
    if (step.does !== 'pause') worker.epoch = null;
  }
  return next;
}

/** Five seconds: who has claimed gives its sign of life, and the others hear it. */
function pass(world: World): void {
  world.timeMs += signOfLifeMs;
  for (const shard of Object.keys(world.landing)) land(world, Number(shard));
  const running = world.workers.filter(({ state }) => state === 'running');
  for (const worker of running) worker.clockMs += signOfLifeMs;
  for (const worker of running) if (worker.hasClaimed) worker.hasClaimed = commit(world, worker, 'owning');
  for (const shard of Object.keys(world.landing)) land(world, Number(shard));
  for (const worker of running) look(world, worker);
}

function look(world: World, worker: ModelWorker): View {
  const owners = new Map<number, Owner>();
  for (const [name, record] of Object.entries(world.log)) {
    const shard = Number(name);
    const known = worker.heard[shard];
    const heard = known?.offset === record.offset ? known : { offset: record.offset, atMs: worker.clockMs };
    worker.heard[shard] = heard;
    owners.set(shard, { ...record, offset: BigInt(record.offset), heardMs: heard.atMs });
  }
  return { owners, cursors: new Map(), clockMs: worker.clockMs };
}

function act(world: World, worker: ModelWorker, taking: Rules['taking']): void {
  const { decision, view } = worker.plan ?? {};
  worker.plan = null;
  if (decision === undefined || view === undefined) return;
  if (decision.kind === 'take') {
    worker.ownership = taking(worker.ownership, worker, view);
    worker.epoch = nextEpoch(world, worker.shard);
    worker.hasClaimed = false;
    worker.takeOvers++;
    worker.ledBy = view.owners.get(worker.shard)?.offset ?? -1n;
  } else if (decision.kind === 'fence') {
    nextEpoch(world, decision.shard);
    worker.ownership = fencedOther(worker.ownership, decision.shard, view);
  } else if (decision.kind === 'write') {
    worker.ownership = writing(worker.ownership);
  } else if (decision.kind === 'yield' && commit(world, worker, 'released')) {
    worker.ownership = yielded(worker.ownership);
    worker.hasClaimed = false;
  }
}

/** The coordinator gives it once the transaction before is complete, with its marker in the log. */
function nextEpoch(world: World, shard: number): number {
  land(world, shard);
  const epoch = (world.epochs[shard] ?? 0) + 1;
  world.epochs[shard] = epoch;
  return epoch;
}

function land(world: World, shard: number): void {
  const record = world.landing[shard];
  if (record) world.log[shard] = { ...record, offset: world.nextOffset++ };
  delete world.landing[shard];
}

/** @returns whether the broker took it; if not, the worker knows that it is fenced */
function commit(world: World, worker: ModelWorker, state: OwnerRecord['state']): boolean {
  const { shard, epoch } = worker;
  if (epoch !== null && epoch === world.epochs[shard]) {
    // A transaction begins once the one before is complete.
    land(world, shard);
    world.landing[shard] = ownerRecordOf(worker.ownership, worker, state, look(world, worker));
    return true;
  }
  worker.ownership = fencedOff(worker.ownership, look(world, worker));
  worker.epoch = null;
  worker.plan = null;
  worker.fencedMs = world.timeMs;
  worker.hasClaimed = false;
  return false;
}

/** Who can write a symbol now: believes itself the owner, and the broker takes what it writes. */
export function writersOf({ workers, epochs }: World, symbol: string): string[] {
  return workers
    .filter(({ ownership, symbols, shard, epoch }) => {
      return ownership.kind === 'owner' && symbols.includes(symbol) && epoch !== null && epoch === epochs[shard];
    })
    .map(({ instance }) => instance);
}

/** Equal for worlds from which the same can happen: only differences of times and offsets count. */
export function nameOf({ timeMs, log, nextOffset, landing, epochs, workers, faults }: World): string {
  const offsets = (offset: bigint | number) => Number(offset) - nextOffset;
  const names = workers.map(({ ownership, epoch, plan, heard, clockMs, fencedMs, shard, state, hasClaimed, ledBy }) => {
    const { kind, usedOffset, fenced } = ownership;
    const since = ownership.fencedMs === null ? null : Math.min(clockMs - ownership.fencedMs, 20_000);
    const silent = Object.entries(heard).map(([name, { offset, atMs }]) => [
      name,
      offsets(offset),
      Math.min(clockMs - atMs, 20_000),
    ]);
    const others = [...fenced].map(([name, offset]) => [name, offsets(offset)]);
    const planned = plan && [plan.decision.kind, offsets(plan.view.owners.get(shard)?.offset ?? -1n)];
    const rest = [since, silent, others, planned, Math.min(timeMs - fencedMs, 20_000), offsets(ledBy)];
    const isCurrent = epoch === null ? null : epoch === epochs[shard];
    return [kind, offsets(usedOffset), isCurrent, state, hasClaimed, Object.keys(heard).length === 0, ...rest];
  });
  const told = ({ instance, state, symbols, fenced }: OwnerRecord) => {
    return [instance, state, symbols, [...fenced].map(([shard, at]) => [shard, offsets(at)])];
  };
  const records = Object.entries(log).map(([shard, record]) => [shard, offsets(record.offset), told(record)]);
  const coming = Object.entries(landing).map(([shard, record]) => [shard, told(record)]);
  return JSON.stringify([names, records, coming, faults]);
}
