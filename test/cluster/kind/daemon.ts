// A Docker daemon in network, pid and mount namespaces of its own, joined to this machine by one pair of interfaces.
// What it does to networks, mounts and firewalls ends with it, however it ends. What there is of it is found by looking
// at the machine, not at notes about it: so after a crash at any point, too.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupFolders, removeCgroup } from '../cgroups.ts';
import { run } from '../command.ts';
import { type BedProcess, bedProcesses, end, isAlive, startDetached } from '../processes.ts';
import { until } from '../until.ts';

/** Servers on this machine listen here for the pods. dockerd.sh knows this and the next four, too. */
export const hostAddress = '10.246.0.1';
const daemonAddress = '10.246.0.2';
/** Of the Docker network that kind's nodes are in. */
export const nodesRange = '10.247.0.0/24';
const daemonInterface = 'k2kindnode';
const cgroup = 'k2kind';
const hostInterface = 'k2kindhost';
const script = join(import.meta.dirname, 'dockerd.sh');

/** A process is there, or gone, long before this. */
const processMs = 10_000;
/** dockerd answers within 2 s, later where it has many images to look through. */
const answerMs = 60_000;
/** dockerd gives its containers 15 s. */
const politeEndMs = 20_000;
const lastLogLines = 5;

export interface DaemonFolders {
  /** Of the socket, whose path may have 107 bytes; also the mark of the daemon's processes. */
  run: string;
  /** Of images and containers. */
  data: string;
  log: string;
}

export function dockerHost(runFolder: string): string {
  return `unix://${join(runFolder, 'docker.sock')}`;
}

/**
 * @param runtime path of runccap
 * @throws Error when it does not answer, with the end of its log
 */
export async function startDaemon(folders: DaemonFolders, runtime: string): Promise<void> {
  await mkdir(folders.run, { recursive: true });
  await mkdir(folders.data, { recursive: true });
  const namespaces = ['--net', '--pid', '--mount', '--mount-proc', '--propagation', 'private'];
  const held = ['unshare', ...namespaces, '--fork', '--kill-child=KILL', 'tini', '--', script];
  const holder = startDetached(folders.run, [...held, folders.run, folders.data, runtime], { log: folders.log });
  try {
    const first = await until('the first process of the namespaces', processMs, () => firstProcess(folders.run));
    await connectTo(first.pid);
    const env = { DOCKER_HOST: dockerHost(folders.run) };
    const answer = await until('an answer of dockerd', answerMs, async () =>
      isAlive(holder) ? run(['docker', 'version'], { env }) : '',
    );
    if (answer === '') throw new Error('dockerd ended');
  } catch (error) {
    const words = (await readFile(folders.log, 'utf8')).trim().split('\n').slice(-lastLogLines).join('\n');
    throw new Error(`${error instanceof Error ? error.message : error}; ${folders.log} ends with:\n${words}`);
  }
}

async function connectTo(pid: number): Promise<void> {
  const inside = ['nsenter', '--target', `${pid}`, '--net', 'ip'];
  await run(['ip', 'link', 'add', hostInterface, 'type', 'veth', 'peer', 'name', daemonInterface, 'netns', `${pid}`]);
  await run(['ip', 'address', 'add', `${hostAddress}/30`, 'dev', hostInterface]);
  await run(['ip', 'link', 'set', hostInterface, 'up']);
  await run([...inside, 'address', 'add', `${daemonAddress}/30`, 'dev', daemonInterface]);
  await run([...inside, 'link', 'set', daemonInterface, 'up']);
  await run(['ip', 'route', 'add', nodesRange, 'via', daemonAddress]);
}

/** Ends the daemon and takes away what it had. @returns whether it ended by itself, so that its data folder is whole */
export async function stopDaemon(runFolder: string): Promise<boolean> {
  const first = firstProcess(runFolder);
  const polite = first !== undefined && (await endPolitely(first));
  // With the first process of its pid namespace the kernel ends all others, its network and its mounts.
  await end(bedProcesses(runFolder));
  if (existsSync(`/sys/class/net/${hostInterface}`)) await run(['ip', 'link', 'delete', hostInterface]).catch(() => '');
  await until("the nodes' cgroups to be free", processMs, () => {
    removeCgroup(cgroup);
    return cgroupFolders(cgroup).length === 0 || undefined;
  });
  return polite;
}

function endPolitely(first: BedProcess): Promise<boolean> {
  process.kill(first.pid, 'SIGTERM');
  return until('dockerd to end', politeEndMs, () => !isAlive(first.pid) || undefined).catch(() => false);
}

/** What there is of a daemon, whoever started it, one line each. */
export function daemonLeftovers(): string[] {
  return [
    ...daemonProcesses().map(({ pid, command }) => `process ${pid}: ${command}`),
    ...(existsSync(`/sys/class/net/${hostInterface}`) ? [`interface ${hostInterface}`] : []),
    ...cgroupFolders(cgroup).map((folder) => `cgroup ${folder}`),
  ];
}

/** A daemon of another run folder: its addresses are the same, so only one can be on a machine. */
export function otherDaemon(runFolder: string): { pid: number; state: string } | undefined {
  return daemonProcesses().find(({ state }) => state !== runFolder);
}

/** tini: undefined when no daemon runs. */
export function firstProcess(runFolder: string): BedProcess | undefined {
  return bedProcesses(runFolder).find(({ command }) => command.startsWith('tini '));
}

function daemonProcesses(): (BedProcess & { state: string })[] {
  return bedProcesses().filter(({ command }) => /\S*(unshare|tini) .*dockerd\.sh /.test(command));
}
