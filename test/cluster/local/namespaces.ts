// The network, pid and mount namespaces in which the local cluster lives, and its only way to the machine. One process
// holds them: when it is killed, the kernel ends every component, pod, mount and interface in them. No route leads out.
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupFolders, makeCgroup, removeCgroup } from '../cgroups.ts';
import { run } from '../command.ts';
import type { Folders } from '../folders.ts';
import { bedProcesses, end, startDetached } from '../processes.ts';
import { until } from '../until.ts';
import {
  bridge,
  cgroup,
  gatewayAddress,
  hostAddress,
  hostInterface,
  nodeAddress,
  nodeInterface,
  podNetwork,
  serviceNetwork,
} from './addresses.ts';
import type { Layout } from './layout.ts';

const script = join(import.meta.dirname, 'inside.sh');
const interfaceFolder = `/sys/class/net/${hostInterface}`;
/** Says whose it is. */
const alias = join(interfaceFolder, 'ifalias');
/** In the command line of the holder, whatever checkout it belongs to. */
const holdCommand = 'test/cluster/local/inside.sh hold';
const holdMs = 5_000;
/** The kernel frees interfaces and cgroups some time after their last process. */
const freeMs = 10_000;

/** The old ones must be closed. */
export async function openNamespaces(folders: Folders, layout: Layout): Promise<void> {
  await refuseTakenAddresses(folders.state);
  await mkdir(layout.run, { recursive: true });
  makeCgroup(cgroup);
  const isolate = ['unshare', '--net', '--pid', '--mount', '--fork', '--kill-child=KILL', '--mount-proc'];
  const holder = ['--propagation', 'private', 'tini', '-s', '--', script, 'hold', layout.run];
  startDetached(folders.state, [...isolate, ...holder], {
    log: join(layout.logs, 'namespaces.log'),
    env: { K2_BRIDGE: bridge, K2_NODE_ADDRESS: nodeAddress },
  });
  const init = await until(`the namespaces, see ${layout.logs}/namespaces.log`, holdMs, () => {
    readFileSync(join(layout.run, 'network'));
    return namespacesInit(folders.state);
  });
  await connectToMachine(folders, init);
}

/** The pid, as the machine sees it, of the namespaces' first process. */
export function namespacesInit(state: string): number | undefined {
  const init = bedProcesses(state).find(({ command }) => command.startsWith('tini ') && command.includes(holdCommand));
  return init?.pid;
}

/** The words that make a command run inside. @throws Error when the cluster is not up */
export function inside(state: string): string[] {
  const init = namespacesInit(state);
  if (init === undefined) throw new Error('the local cluster is not up: `make quickstart` or `make test` starts it');
  return ['nsenter', '--target', String(init), '--net', '--pid', '--mount', '--'];
}

/** Starts a component inside, its output added to its log. */
export async function startInside(state: string, layout: Layout, name: string, command: string[]): Promise<void> {
  writeFileSync(join(layout.run, `${name}.command`), command.map((word) => `${word}\0`).join(''));
  await restartInside(state, layout, name);
}

/** Starts a component again with the command it had; the old one must have ended. */
export async function restartInside(state: string, layout: Layout, name: string): Promise<void> {
  await run([...inside(state), script, 'start', layout.run, layout.logs, name], { env: { K2_BED: state } });
}

/** Whether each of the components lives; a test may have killed one. */
export function allRunInside(state: string, layout: Layout, names: readonly string[]): boolean {
  const living = new Set(clusterProcesses(state).map(({ command }) => command));
  return names.every((name) => {
    const file = join(layout.run, `${name}.command`);
    return existsSync(file) && living.has(readFileSync(file, 'utf8').split('\0').join(' ').trim());
  });
}

/** SIGKILL: for tests of what a crash of this component does. */
export async function killInside(state: string, layout: Layout, name: string): Promise<void> {
  await run([...inside(state), script, 'kill', layout.run, name]);
}

/** Ends all and takes away what the kernel does not; does nothing when there is nothing. */
export async function closeNamespaces(state: string): Promise<void> {
  await end(clusterProcesses(state));
  if (clusterProcesses().length > 0) return;
  // The kernel takes it away with the namespace, perhaps between the two lines below: then it is gone at the next look.
  await until(`the interface ${hostInterface} to be gone`, freeMs, async () => {
    if (existsSync(interfaceFolder)) await run(['ip', 'link', 'delete', hostInterface]);
    return true;
  });
  await until("the pods' cgroups to be free", freeMs, () => {
    removeCgroup(cgroup);
    return cgroupFolders(cgroup).length === 0 ? true : undefined;
  });
}

/** One line for each thing that is there of the cluster or left of it. */
export async function namespacesLeftovers(state: string): Promise<string[]> {
  const ours = clusterProcesses(state);
  // The interface and the cgroups of a living bed with another state folder are not ours to list.
  if (ours.length === 0 && clusterProcesses().length > 0) return [];
  return [
    ...ours.map(({ pid, command }) => `process ${pid}: ${command.slice(0, 80)}`),
    ...(existsSync(interfaceFolder) ? [`interface ${hostInterface}, with its routes`] : []),
    ...cgroupFolders(cgroup).map((path) => `cgroup ${path}`),
  ];
}

/** All marked processes in the network namespace of one that runs our script: the holder, components, shims. */
function clusterProcesses(state?: string): ReturnType<typeof bedProcesses> {
  const candidates = bedProcesses(state).map((found) => ({ ...found, network: networkNamespace(found.pid) }));
  const holders = candidates.filter(({ command }) => command.includes(holdCommand));
  const networks = new Set(holders.map(({ network }) => network));
  return candidates.filter(({ network }) => network !== undefined && networks.has(network));
}

/** Undefined for a process that ended in between. */
function networkNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

async function connectToMachine(folders: Folders, init: number): Promise<void> {
  const ip = (...words: string[]) => run(['ip', ...words]);
  const peer = ['peer', 'name', nodeInterface, 'netns', String(init)];
  await ip('link', 'add', hostInterface, 'type', 'veth', ...peer);
  await ip('link', 'set', hostInterface, 'alias', `test bed of ${folders.checkout}`);
  await ip('address', 'add', `${hostAddress}/30`, 'dev', hostInterface);
  await ip('link', 'set', hostInterface, 'up');
  const within = (...words: string[]) => run([...inside(folders.state), 'ip', ...words]);
  await within('address', 'add', `${gatewayAddress}/30`, 'dev', nodeInterface);
  await within('link', 'set', nodeInterface, 'up');
  for (const network of [podNetwork, serviceNetwork]) await ip('route', 'add', network, 'via', gatewayAddress);
}

interface Link {
  ifname: string;
  addr_info: { local: string }[];
}

/** @throws Error that names who has the addresses, when they are taken */
export async function refuseTakenAddresses(ownState: string): Promise<void> {
  const other = clusterProcesses().find(({ state }) => state !== ownState);
  if (other) {
    const owner = existsSync(alias) ? readFileSync(alias, 'utf8').trim() : 'test bed of another checkout';
    throw new Error(
      `the addresses ${hostAddress}, ${podNetwork} and ${serviceNetwork} are taken by the ${owner} ` +
        `(process ${other.pid}, state in ${other.state}): run \`make down\` there first, and then this again`,
    );
  }
  const links = JSON.parse(await run(['ip', '-json', 'address'])) as Link[];
  const holder = links.find(
    ({ ifname, addr_info }) => ifname !== hostInterface && addr_info.some(({ local }) => local === hostAddress),
  );
  if (holder)
    throw new Error(`the address ${hostAddress} is taken by the interface ${holder.ifname}, which is not ours`);
  const routes = JSON.parse(await run(['ip', '-json', 'route'])) as { dst: string; dev: string }[];
  const route = routes.find(({ dst, dev }) => dev !== hostInterface && [podNetwork, serviceNetwork].includes(dst));
  if (route) throw new Error(`the network ${route.dst} is taken by a route over ${route.dev}, which is not ours`);
}
