// The machine's processes behind pods and services: found anew each time, as they come and go.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { bedProcesses, isAlive, startDetached } from '../cluster/processes.ts';
import { readBed, writeBed } from '../cluster/record.ts';
import { until } from '../cluster/until.ts';
import { untilStarted } from '../services/kafka.ts';
import type { System, WorkerPod } from './system.ts';

/** The kubelet gives a worker 30 s after SIGTERM. */
const endMsMax = 45_000;

/**
 * Of a pod's container. A container's id is part of its processes' cgroups, in both versions of cgroups.
 * @throws Error when it does not run
 */
export function containerPids({ metadata, status }: WorkerPod): number[] {
  const id = status?.containerStatuses?.[0]?.containerID?.replace(/^.*\/\//, '');
  const pids = id ? pidsInCgroup(id) : [];
  if (pids.length === 0) throw new Error(`no process of pod ${metadata.name} runs`);
  return pids;
}

/** The process that holds the pod's namespaces: the oldest, which is the pause container's. @throws as above */
export function sandboxPid({ metadata }: WorkerPod): number {
  const [pid] = pidsInCgroup(`pod${metadata.uid}`);
  if (pid === undefined) throw new Error(`no process of pod ${metadata.name} runs`);
  return pid;
}

function pidsInCgroup(part: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => cgroupsOf(pid).includes(part))
    .sort((a, b) => a - b);
}

/** Empty for a process that has ended. */
function cgroupsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}

/** One that has ended in between needs no signal any more. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

export async function untilEnded(pids: readonly number[]): Promise<void> {
  await until(`processes ${pids.join(', ')} to end`, endMsMax, () => (pids.some(isAlive) ? undefined : true));
}

/** In the command line of each. */
const marks = { broker: 'kafka.Kafka', registry: 'registry.jar' };
export type Service = keyof typeof marks;

/** @throws Error when it does not run */
export function servicePid({ store }: Pick<System, 'store'>, service: Service): number {
  const found = bedProcesses(store.folders.state).find(({ command }) => command.includes(marks[service]));
  if (found === undefined) throw new Error(`the ${service} of the bed does not run`);
  return found.pid;
}

/** SIGKILL, and a way to start it again on the data that it left. */
export async function killBroker(system: System): Promise<{ restart(): Promise<void> }> {
  const { store } = system;
  const pid = servicePid(system, 'broker');
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  const cwd = readlinkSync(`/proc/${pid}/cwd`);
  process.kill(pid, 'SIGKILL');
  await untilEnded([pid]);
  return {
    async restart() {
      const log = join(store.folders.state, 'log', 'kafka-restarted.log');
      const started = startDetached(store.folders.state, command, { log, cwd });
      await replaceServicePid(store.folders.state, pid, started);
      await untilStarted(log, () => isAlive(started));
    },
  };
}

/** What ends the bed finds its processes by itself; what asks whether they live reads the record. */
async function replaceServicePid(state: string, old: number, started: number): Promise<void> {
  const record = await readBed(state);
  if (record === undefined) return;
  await writeBed(state, { ...record, servicePids: record.servicePids.map((pid) => (pid === old ? started : pid)) });
}
