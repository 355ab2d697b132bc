// The faults that every exchange has, on each of them: what the stream did not bring is asked of its own history.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { exchanges } from '../../worker/exchanges/index.ts';
import { recordFigures } from '../figures.ts';
import type { FrameFault } from '../simulator/control.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import type { RunningFeed } from './run-feed.ts';
import { type Compared, compare, count, expectEachTradeOnce, later, listed, startFeed } from './simulated-feed.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Kraken may be asked once a second, and each hole takes a question. */
const repaired = { timeout: 80_000 };

/** None takes a trade away for good. */
const harmless: FrameFault[] = [
  { kind: 'duplicate', frames: 10, chance: 0.3 },
  { kind: 'reorder', frames: 6 },
  { kind: 'delay', frames: 5, delayMs: 300 },
];
/** The trades of these frames never come. */
const losses: FrameFault[] = [
  { kind: 'drop', frames: 10, chance: 0.3 },
  { kind: 'garbage', frames: 3 },
  { kind: 'truncate', frames: 3 },
];

let simulator: Simulator;
let stop: AbortController;
let run: RunningFeed;

beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 60, symbols: listed });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await run.ended;
  await simulator.close();
});

/** Orders the faults, and waits until each has hit all the frames that it was ordered for. */
async function meet(faults: FrameFault[]): Promise<void> {
  for (const fault of faults) await simulator.addFrameFault(fault);
  const left = async () =>
    (await simulator.state()).frameFaults.reduce((sum, { frames, hit }) => sum + frames - hit, 0);
  await expect.poll(left, later).toBe(0);
  await run.producer.holds(run.producer.appended.length + 100);
}

async function record(exchange: string, { made, lost, doubled }: Compared, cuts: number): Promise<void> {
  const { frameFaults } = await simulator.state();
  const isProvable = exchanges[exchange]?.continuity.kind !== 'none';
  recordFigures('faults', {
    exchange,
    faults: { ...Object.fromEntries(frameFaults.map(({ kind, hit }) => [kind, hit])), cut: cuts },
    made,
    lost: lost.length,
    doubled: doubled.length,
    repaired: await count(run, 'backfilled'),
    duplicates: await count(run, 'duplicates'),
    proven: isProvable ? run.status.snapshot().completeness === 100 : null,
  });
}

const provable = Object.entries(exchanges)
  .filter(([, { continuity }]) => continuity.kind !== 'none')
  .map(([id]) => id);

describe.each(provable)('on %s', (id) => {
  test('lost, doubled, late and broken frames and a cut connection leave every trade written once', async () => {
    run = await startFeed(simulator, id, stop.signal);
    await meet([...harmless, ...losses]);
    await simulator.setAccepting({ accepting: false });
    await simulator.cut();
    const { trades: whileAway } = await simulator.burst({ trades: 300 });
    await simulator.setAccepting({ accepting: true });
    await run.producer.holds(run.producer.appended.length + 200);
    const compared = await expectEachTradeOnce(run, simulator, id, repaired);
    await record(id, compared, 1);
    // Those of the burst that a snapshot did not bring, and of each frame that was lost.
    expect(compared.made).toBeGreaterThan(whileAway);
    expect(await count(run, 'backfilled')).toBeGreaterThanOrEqual(16);
    expect(await count(run, 'duplicates')).toBeGreaterThanOrEqual(10);
  });
});

const unprovable = Object.entries(exchanges)
  .filter(([, { continuity }]) => continuity.kind === 'none')
  .map(([id]) => id);

describe.each(unprovable)('on %s, whose ids prove nothing', (id) => {
  test('what came is written once, and nothing is claimed', async () => {
    run = await startFeed(simulator, id, stop.signal);
    await meet(harmless);
    await simulator.pause();
    await expect.poll(async () => (await compare(run, simulator, id)).lost, repaired).toEqual([]);
    const compared = await compare(run, simulator, id);
    await record(id, compared, 0);
    expect(compared.doubled).toEqual([]);
    const { completeness, symbols } = run.status.snapshot();
    expect(completeness).toBeNull();
    expect(symbols.map(({ continuity }) => [continuity?.provable, continuity?.proven])).toEqual([
      [false, false],
      [false, false],
    ]);
    expect(await count(run, 'duplicates')).toBeGreaterThanOrEqual(10);
  });
});
