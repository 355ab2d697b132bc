// A short fault run: about 30 faults, each kind at most once, as many as two and a half minutes allow.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faults } from '../faults/kinds/index.ts';
import type { RunOptions } from '../faults/options.ts';
import { deleteFeeds, runFaults } from '../faults/run.ts';
import { openSystem, type RunningSystem } from '../faults/start.ts';
import { bedStore, openBed } from './bed.ts';

const options: RunOptions = { faults: 30, seed: '1', minutes: 2.5, kinds: null, delivery: 'ExactlyOnce' };
/** Four minutes as a rule. On a slow machine the last fault has as long to pass, and the two judges read all topics. */
const runMsMax = 600_000;

let system: RunningSystem | undefined;
let why = '';

beforeAll(async () => {
  const { cluster } = await openBed();
  if (cluster === 'local') system = await openSystem(bedStore(console.log), options.delivery, console.log);
  else why = `a ${cluster} cluster: only the local one's parts can be killed one by one`;
});
afterAll(async () => {
  if (system === undefined) return;
  await deleteFeeds(system);
  await system.close();
});

test('under faults of every kind each trade is written once', { timeout: runMsMax }, async (context) => {
  if (system === undefined) return context.skip(why);
  const { failure, isExact, recoveries } = await runFaults(system, faults, options, console.log);
  expect(failure).toBeNull();
  expect(isExact, 'made against written, and the auditor: see the tables above').toBe(true);
  expect(recoveries.length).toBeGreaterThan(0);
});
