// What the parts of a run have measured, kept between runs: a part that was not run again stays on the page.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import type { Audited } from './audit.ts';
import type { Window } from './window.ts';

export interface Quiet {
  feeds: number;
  latenciesMs: number[];
  window: Window;
}

export interface Many {
  feeds: number;
  converging: Window;
  convergedSeconds: number;
  steady: Window;
  trading: Window;
  restarted: Audited;
  restartSeconds: number;
}

export interface Changes {
  feeds: number;
  removedSeconds: number;
  /** Of the whole run. */
  rights: Audited;
}

interface Parts {
  quiet: Quiet;
  many: Many;
  changes: Changes;
}

/** With where and when it was measured, for the page. */
export type Kept<Part> = Part & { on: string };
export type Results = { [Name in keyof Parts]?: Kept<Parts[Name]> };

const root = new URL('../../', import.meta.url);
const file = new URL('build/scale.json', root);

/** Code, machine, and what else it did: what figures depend on. */
export function measuredOn(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}`;
  const load = loadavg().map((one) => one.toFixed(0));
  return `commit ${commit}, Node ${process.version}, ${machine}, load over 1, 5 and 15 minutes ${load.join(', ')}`;
}

/** Counts are maps, which JSON has not. */
export function readResults(): Results {
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, 'utf8'), (_, value) =>
    Array.isArray(value?.entries) ? new Map(value.entries) : value,
  ) as Results;
}

export function keep<Name extends keyof Parts>(name: Name, part: Parts[Name]): void {
  const results = { ...readResults(), [name]: { ...part, on: measuredOn() } };
  mkdirSync(new URL('build/', root), { recursive: true });
  const text = JSON.stringify(results, (_, value) => (value instanceof Map ? { entries: [...value] } : value), 1);
  writeFileSync(file, text);
}
