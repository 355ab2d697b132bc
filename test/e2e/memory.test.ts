// A small pod whose broker hangs: before the kernel ends it for its memory, it ends its connection to the exchange, and
// what came meanwhile is repaired.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { readBed } from '../cluster/record.ts';
import type { SimulatorControl } from '../simulator/control.ts';
import { type Bed, bedStore, openBed } from './bed.ts';
import { apply, deleteFeed, manifestOf, ownTopics, waitReady } from './feeds.ts';
import { compareWithMade } from './made-trades.ts';
import { deploySimulator, kubectl, namespace } from './operator.ts';
import { eventually } from './process.ts';

const name = 'e2e-memory';
const memory = '128Mi';
/** Some 4 MB a second: the worker looks at its memory once a second, and a tenth of it is left then. */
const tradesPerSecond = 3000;

/** A bed of containers has its broker inside, where it cannot be made to hang without what depends on it. */
const [brokerPid] = (await readBed(bedStore(console.log).folders.state))?.servicePids ?? [];

let bed: Bed;
let simulator: SimulatorControl;

beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
});
afterEach(async () => {
  if (brokerPid !== undefined) process.kill(brokerPid, 'SIGCONT');
  await deleteFeed(bed, name);
});

const selected = ['-l', `feeds.k2.dev/feed=${name}`];

const logs = () => kubectl(bed, '-n', namespace, 'logs', ...selected, '--tail=-1');

async function restarts(): Promise<string[]> {
  const path = 'jsonpath={.items[*].status.containerStatuses[*].restartCount}';
  return (await kubectl(bed, '-n', namespace, 'get', 'pods', ...selected, '-o', path)).split(' ');
}

const without = brokerPid === undefined ? ' (skipped: the broker of this bed runs inside it)' : '';

test.skipIf(brokerPid === undefined)(`memory runs short: reading ends, no trade is lost${without}`, async () => {
  const { topic, topics } = ownTopics(name);
  await simulator.reset();
  await simulator.pause();
  const worker = { resources: { limits: { memory } } };
  await apply(bed, manifestOf(name, { symbols: ['BTCUSDT'], topics, worker }));
  await waitReady(bed, name);
  await simulator.setRate({ tradesPerSecond, symbol: 'BTCUSDT' });
  await simulator.resume();
  await simulator.burst({ trades: 100, symbol: 'BTCUSDT' });
  if (brokerPid !== undefined) process.kill(brokerPid, 'SIGSTOP');
  await eventually('a connection that ended because memory is short', 90_000, async () => {
    expect(await logs()).toMatch(/"reason":"memory".*of memory are used/);
  });
  await simulator.pause();
  if (brokerPid !== undefined) process.kill(brokerPid, 'SIGCONT');
  const question = { exchange: 'binance', symbols: ['BTCUSDT'], topic };
  // Only a later trade shows that the one before it is missing.
  await simulator.burst({ trades: 10, symbol: 'BTCUSDT' });
  const compared = await eventually('each trade once', 90_000, () => compareWithMade(bed, simulator, question));
  expect(new Set(await restarts())).toEqual(new Set(['0']));
  console.log(`${compared} trades compared`);
});
