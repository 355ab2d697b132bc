// The bed's long-lived processes. Each carries the bed's mark, its state folder, in its environment, so that it can be
// found and ended whatever happened to the command that started it; a pid alone may belong to a stranger by now.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { until } from './until.ts';

const mark = 'K2_BED';
/** The kernel ends a killed process within milliseconds; a JVM that unmaps its heap takes longest. */
const endMs = 10_000;

export interface BedProcess {
  pid: number;
  /** Clock ticks after boot: with the pid, the identity of a process. */
  startTime: string;
  command: string;
}

/** Starts a program that outlives this one. @returns its pid */
export function startDetached(
  state: string,
  command: readonly string[],
  options: { log: string; cwd?: string; env?: Record<string, string> },
): number {
  mkdirSync(dirname(options.log), { recursive: true });
  const log = openSync(options.log, 'w');
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd: options.cwd ?? '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env, [mark]: state },
  });
  closeSync(log);
  // A program that cannot be started is noticed by whoever waits for it to be ready; without this it would end us.
  child.on('error', () => {});
  child.unref();
  if (child.pid === undefined) throw new Error(`${file} cannot be started: is it installed?`);
  return child.pid;
}

/** The living processes that carry the mark of this state folder; of every state folder when it is undefined. */
export function bedProcesses(state?: string): (BedProcess & { state: string })[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      const found = readProcess(pid);
      return found && (state === undefined || found.state === state) ? [{ pid, ...found }] : [];
    });
}

export function isAlive(pid: number): boolean {
  return readStat(pid) !== undefined;
}

/** Ends the processes at once and waits until they are gone. */
export async function end(processes: readonly BedProcess[]): Promise<void> {
  for (const { pid, startTime } of processes) {
    if (readStat(pid) === startTime) process.kill(pid, 'SIGKILL');
  }
  await until('the processes to end', endMs, () =>
    processes.every(({ pid, startTime }) => readStat(pid) !== startTime) ? true : undefined,
  );
}

/** The start time; undefined for a process that is not there, is not ours to see, or waits only for its parent. */
function readStat(pid: number): string | undefined {
  const text = readOrUndefined(`/proc/${pid}/stat`);
  // The name, in brackets, may hold anything; fields are counted after it: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}

function readProcess(pid: number): { startTime: string; command: string; state: string } | undefined {
  const environment = readOrUndefined(`/proc/${pid}/environ`)?.split('\0');
  const state = environment?.find((variable) => variable.startsWith(`${mark}=`))?.slice(mark.length + 1);
  const startTime = readStat(pid);
  if (state === undefined || startTime === undefined) return undefined;
  const command = readOrUndefined(`/proc/${pid}/cmdline`)?.split('\0').join(' ').trim() ?? '';
  return { startTime, command, state };
}

/** A process can end between two looks at it, and another user's is closed to us. */
function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
