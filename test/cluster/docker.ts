// The Docker daemon that builds the project's images: the one that runs already, if it can get the base image; or one
// of our own, with our own base image, in mount and pid namespaces of its own, which ends with this process.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Store } from './artifact.ts';
import { baseImageArchive, baseImageTag } from './base-image.ts';
import { cgroupFolders, removeCgroup } from './cgroups.ts';
import { run } from './command.ts';
import { bedProcesses, end, isAlive, startDetached } from './processes.ts';
import type { Step } from './step.ts';
import { Hopeless, until } from './until.ts';

/** Runs a docker command, its output in the step's log. */
export type Docker = (...words: string[]) => Promise<string>;

/** Below each hierarchy: what runs while an image is built. */
export const buildCgroup = 'k2-bed-build';
const readyMs = 30_000;
/** An unreachable container registry is found out within it; a slow one has delivered 80 MB. */
const pullSeconds = '120';
/**
 * Debian's client goes with Debian's daemon; another one earlier on PATH may lack BuildKit. Asked at each use, because
 * the package may have been installed by this very process.
 */
const client = () => (existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker');

/** Whether the running daemon, if there is one, has or gets the base image. */
export async function runningDockerCanBuild(): Promise<boolean> {
  const works = (...words: string[]) =>
    run(words).then(
      () => true,
      () => false,
    );
  if (!(await works(client(), 'info'))) return false;
  if (await works(client(), 'image', 'inspect', baseImageTag)) return true;
  return works('timeout', pullSeconds, client(), 'pull', baseImageTag);
}

export async function withRunningDocker<T>(step: Step, work: (docker: Docker) => Promise<T>): Promise<T> {
  return work((...words) => step.run([client(), ...words], { env: { DOCKER_BUILDKIT: '1' } }));
}

/** Starts our daemon for the time of the work. @param base folder of the base image's artifact */
export async function withOwnDocker<T>(
  store: Store,
  base: string,
  step: Step,
  work: (docker: Docker) => Promise<T>,
): Promise<T> {
  const { state } = store.folders;
  const data = dockerData(store);
  const host = `unix://${join(dockerRun(state), 'docker.sock')}`;
  const env = { DOCKER_BUILDKIT: '1', DOCKER_HOST: host, DOCKER_CONTEXT: undefined };
  const docker: Docker = (...words) => step.run([client(), ...words], { env });
  await endOwnDocker(state);
  await mkdir(data, { recursive: true });
  const log = join(state, 'log', 'dockerd.log');
  const pid = startDetached(state, daemonCommand(state, data, host), { log });
  try {
    await until(`dockerd, see ${log}`, readyMs, () => {
      if (!isAlive(pid)) throw new Hopeless(`dockerd ended while it started, see ${log}`);
      return run([client(), 'version'], { env });
    });
    await loadBase(base, data, docker);
    return await work(docker);
  } finally {
    await endOwnDocker(state);
  }
}

/** Ends a daemon of ours that a crash left behind, too. */
export async function endOwnDocker(state: string): Promise<void> {
  await end(bedProcesses(state).filter(({ command }) => command.includes('dockerd ')));
  const untilFree = () => {
    removeCgroup(buildCgroup);
    return cgroupFolders(buildCgroup).length === 0 ? true : undefined;
  };
  await until('the cgroups of image builds to be free', readyMs, untilFree);
  // Its pid files name pids of a namespace that is gone, and would stop the next daemon.
  await rm(dockerRun(state), { recursive: true, force: true });
}

function dockerRun(state: string): string {
  return join(state, 'docker');
}

function dockerData(store: Store): string {
  return join(store.folders.cache, 'docker');
}

/** No bridge and no firewall rules: a build uses the machine's own network, and leaves no trace in it. */
function daemonCommand(state: string, data: string, host: string): string[] {
  const endsWithUs = ['setpriv', '--pdeathsig', 'KILL'];
  const isolate = ['unshare', '--mount', '--propagation', 'private', '--pid', '--mount-proc', '--fork'];
  const network = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false'];
  const runFolder = dockerRun(state);
  const folders = ['--data-root', data, '--exec-root', runFolder, '--pidfile', join(runFolder, 'docker.pid')];
  const daemon = ['dockerd', '--host', host, ...network, ...folders, '--cgroup-parent', `/${buildCgroup}`];
  return [...endsWithUs, ...isolate, '--kill-child=KILL', 'tini', '-s', '--', ...daemon];
}

async function loadBase(base: string, data: string, docker: Docker): Promise<void> {
  const record = join(data, 'k2-base-image');
  if ((await readFile(record, 'utf8').catch(() => '')) === basename(base)) return;
  await docker('load', '--input', join(base, baseImageArchive));
  await writeFile(record, basename(base));
}
