// A run from its first feed to its verdict: the one file that knows the order.

import { availableParallelism, loadavg } from 'node:os';
import { CommandFailed } from '../cluster/command.ts';
import { until } from '../cluster/until.ts';
import { deleteFeed } from '../e2e/feeds.ts';
import { Attempt } from './attempt.ts';
import { saveEvidence } from './evidence.ts';
import type { Fault } from './fault.ts';
import { runBursts, tradesPerSecond } from './load.ts';
import type { RunOptions } from './options.ts';
import { randomOf, schedule } from './schedule.ts';
import type { System } from './system.ts';
import { aimsTable, type Recovery, timesTable } from './times.ts';
import { auditAll, compareAll, type Done, type Verdict } from './verdict.ts';
import { untilWhole } from './whole.ts';

/** From the API server's answer to feeds that stream, on a machine that does other things, too. */
const startMsMax = 240_000;
/** After the last trade was made, until the reader has had nothing for `quietMs`. */
const settleMsMax = 60_000;
/** Many times what a trade takes from the exchange to the reader. */
const quietMs = 5000;

export interface Result {
  isExact: boolean;
  recoveries: Recovery[];
  done: number;
  /** Null: every fault passed. */
  failure: string | null;
}

export type Print = (line: string) => void;

export async function deleteFeeds({ bed, feeds }: System): Promise<void> {
  for (const { name } of feeds) await deleteFeed(bed, name);
}

/** The feeds are applied, and the reader reads their topics. */
export async function runFaults(
  system: System,
  kinds: readonly Fault[],
  options: RunOptions,
  print: Print,
): Promise<Result> {
  const bursts = new AbortController();
  const started = system.reader.watch();
  await untilWhole(system, started, startMsMax);
  system.reader.forget(started);
  print(`all ${system.feeds.length} feeds stream, ${tradesPerSecond * system.feeds.length} trades/s and bursts`);
  const bursting = runBursts(system.simulator, randomOf(options.seed, 'bursts'), bursts.signal);
  const { recoveries, done, failure } = await doAll(system, kinds, options, print);
  bursts.abort();
  print(`${recoveries.length} faults passed, ${await bursting} trades an exchange in bursts`);
  const load = loadavg().map((value) => value.toFixed(1));
  print(`load of the machine: ${load.join(', ')} in the last 1, 5 and 15 minutes, on ${availableParallelism()} cores`);
  for (const text of [timesTable(recoveries), aimsTable(recoveries)]) print(`\n${text}`);
  await settle(system, failure === null);
  const verdicts: Verdict[] = [];
  for (const judge of [compareAll, auditAll]) {
    const verdict = await judge(system, done);
    print(`\n${verdict.text}`);
    verdicts.push(verdict);
  }
  const isTrue = verdicts.every((verdict) => verdict.isExact);
  if (!isTrue) {
    const words = verdicts.map(({ text }) => text).join('\n');
    print(`\nsee ${await saveEvidence(system, `seed-${options.seed}-verdict`, words)}`);
  }
  const isExact = failure === null && isTrue;
  return { isExact, recoveries, done: done.length, failure };
}

interface Faults {
  recoveries: Recovery[];
  done: Done[];
  failure: string | null;
}

/** Until one does not pass, or there were as many as asked for, or time is up. */
async function doAll(system: System, kinds: readonly Fault[], options: RunOptions, print: Print): Promise<Faults> {
  const recoveries: Recovery[] = [];
  const done: Done[] = [];
  const endMs = performance.now() + (options.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  for (const planned of schedule(options.seed, kinds, system.feeds)) {
    if (planned.number > options.faults) break;
    if (performance.now() >= endMs) {
      print(`${options.minutes} minutes are over`);
      break;
    }
    const attempt = new Attempt(system, planned);
    try {
      recoveries.push(await attempt.run());
      print(attempt.line());
    } catch (error) {
      const why = wordsOf(error);
      const failure = `fault ${planned.number} (${planned.kind.name}) of seed ${options.seed}: ${why}`;
      print(`${attempt.line()}  DID NOT PASS`);
      const folder = await saveEvidence(system, `seed-${options.seed}-fault-${planned.number}`, failure);
      return { recoveries, done: [...done, attempt.done()], failure: `${failure}\nsee ${folder}` };
    }
    done.push(attempt.done());
    if (attempt.doubled > 0 && !done.slice(0, -1).some(({ doubled }) => doubled > 0)) {
      const words = JSON.stringify(system.reader.doubled.slice(0, 10));
      const folder = await saveEvidence(system, `seed-${options.seed}-fault-${planned.number}-doubled`, words);
      print(`  the first doubled trades; see ${folder}`);
    }
  }
  return { recoveries, done, failure: null };
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof CommandFailed ? [error.message, ...error.lastLines].join('\n') : error.message;
}

/**
 * Halts the market, and waits until nothing more comes: all faults are over, and what was sent is on its way.
 * @param isWhole false: what is not whole yet will not become so
 */
async function settle(system: System, isWhole: boolean): Promise<void> {
  const { simulator, reader } = system;
  const watch = reader.watch();
  if (isWhole) await untilWhole(system, watch).catch(() => {});
  reader.forget(watch);
  await simulator.pause();
  await until('the reader to have read all', settleMsMax, () => (reader.quietMs() > quietMs ? true : undefined));
}
