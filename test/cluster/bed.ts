// The whole test bed: packages, builds, cluster, broker, registry, images. Read `up` for the order.
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { kafka } from '../services/kafka.ts';
import { registry } from '../services/registry.ts';
import { startServices } from '../services/services.ts';
import { type Artifact, provide, type Store } from './artifact.ts';
import { helm } from './artifacts.ts';
import { cgroupFolders } from './cgroups.ts';
import { type Access, type Cluster, chooseCluster, createCluster } from './cluster.ts';
import { buildCgroup, endOwnDocker } from './docker.ts';
import { goOnPath } from './go.ts';
import { provideImages } from './images.ts';
import { withLock } from './lock.ts';
import { inspectMachine } from './machine.ts';
import { ensurePackages, neededPackages, requireGo } from './packages.ts';
import { bedProcesses, end, isAlive } from './processes.ts';
import { type BedRecord, readBed, refuseOtherCheckout, removeBed, writeBed } from './record.ts';
import { step } from './step.ts';

/** The usual ones: they are taken on an address that only the bed has. */
const ports = { kafka: 9092, registry: 8081 };
const loopback = '127.0.0.1';

/** Everything up, the images loaded; at once what is up already. */
export function up(store: Store, env: Record<string, string | undefined>): Promise<BedRecord> {
  return alone(store, async () => {
    const machine = await inspectMachine();
    const choice = chooseCluster(env.K2_CLUSTER, machine);
    if (choice.cluster === null) throw new Error(choice.why);
    store.reporter.print(`  cluster: ${choice.cluster} (${choice.why})`);
    await refuseOthers(store);
    await ensurePackages(store.reporter, neededPackages(choice.cluster, machine.docker));
    requireGo(await goOnPath());
    const cluster = await createCluster(choice.cluster, store);
    await cluster.refuseTaken?.();
    const [helmFolder, archive] = await buildAll(store, cluster);
    const before = await readBed(store.folders.state);
    if (before?.cluster && before.cluster.name !== cluster.name) await downAll(store);
    const access = await cluster.up();
    const [services] = await Promise.all([
      servicesAt(store, cluster, access),
      step(store.reporter, 'Images: load into the cluster', 'run `make down`, then try again', () =>
        cluster.loadImages([archive]),
      ),
    ]);
    const bed = {
      checkout: store.folders.checkout,
      cluster: { ...access, name: cluster.name, helm: join(helmFolder, 'helm') },
      ...services,
    };
    await writeBed(store.folders.state, bed);
    return bed;
  });
}

/** All that `up` would build, and nothing started. */
export function build(store: Store, env: Record<string, string | undefined>): Promise<void> {
  return alone(store, async () => {
    const machine = await inspectMachine();
    const choice = chooseCluster(env.K2_CLUSTER, machine);
    if (choice.cluster === null) throw new Error(choice.why);
    await ensurePackages(store.reporter, neededPackages(choice.cluster, machine.docker));
    requireGo(await goOnPath());
    await buildAll(store, await createCluster(choice.cluster, store));
  });
}

/** Broker and registry: those of the running bed, or else on the loopback address alone. */
export function services(store: Store): Promise<BedRecord> {
  return alone(store, async () => {
    await refuseOthers(store);
    const running = await readBed(store.folders.state);
    if (running && servicesLive(running)) return running;
    if (running) await downAll(store);
    await ensurePackages(store.reporter, neededPackages(null, false));
    const { pids, ...urls } = await startServices(store, { address: loopback });
    const bed = { checkout: store.folders.checkout, cluster: null, services: urls, servicePids: pids };
    await writeBed(store.folders.state, bed);
    return bed;
  });
}

/** Leaves nothing behind, whatever was up and however it ended. @returns what is left all the same */
export function down(store: Store): Promise<string[]> {
  return alone(store, async () => {
    await refuseOthers(store);
    await downAll(store);
    return leftovers(store);
  });
}

/** `down`, and all that was built and written is removed. */
export async function clean(store: Store): Promise<string[]> {
  const left = await down(store);
  if (left.length > 0) return left;
  await rm(store.folders.cache, { recursive: true, force: true });
  await rm(store.folders.state, { recursive: true, force: true });
  return [];
}

/** One line for each process, interface, cgroup, mount and the like that is there of the bed. */
export async function leftovers(store: Store): Promise<string[]> {
  const { state, cache } = store.folders;
  const ofClusters = (await Promise.all((await bothClusters(store)).map((cluster) => cluster.leftovers()))).flat();
  const processes = bedProcesses(state).map(({ pid, command }) => `process ${pid}: ${command.slice(0, 80)}`);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${state}/`) || path.startsWith(`${cache}/`))
    .map((path) => `mount ${path}`);
  const cgroups = cgroupFolders(buildCgroup).map((path) => `cgroup ${path}`);
  return [...new Set([...ofClusters, ...processes, ...mounts, ...cgroups])];
}

/** Compilers on one side, downloads and package tools on the other: they hold each other up least. */
async function buildAll(store: Store, cluster: Cluster): Promise<[helmFolder: string, imageArchive: string]> {
  const inOrder = async (artifacts: Artifact[]) => {
    const folders: string[] = [];
    for (const artifact of artifacts) folders.push(await provide(store, artifact));
    return folders;
  };
  // Before anything is built: it may install packages that the images need, too.
  const ofCluster = await cluster.artifacts();
  const programs = inOrder([...ofCluster, await helm()]);
  const others = inOrder(cluster.name === 'local' ? [await kafka(), await registry()] : []);
  const archive = others.then(() => provideImages(store));
  // When one fails the other goes on to its end, so that nothing is half built when this process ends.
  await Promise.allSettled([programs, archive]);
  return [(await programs).at(-1) ?? '', await archive];
}

async function servicesAt(
  store: Store,
  cluster: Cluster,
  access: Access,
): Promise<Pick<BedRecord, 'services' | 'servicePids'>> {
  const brought = cluster.services(access);
  if (brought) return { services: brought, servicePids: [] };
  const running = await readBed(store.folders.state);
  const fit = running?.services.bootstrapServers === `${access.hostAddress}:${ports.kafka}`;
  if (running && fit && servicesLive(running)) return running;
  await endServices(store);
  const { pids, ...urls } = await startServices(store, { address: access.hostAddress, ports });
  return { services: urls, servicePids: pids };
}

function servicesLive(bed: BedRecord): boolean {
  return bed.servicePids.every(isAlive);
}

async function downAll(store: Store): Promise<void> {
  for (const cluster of await bothClusters(store)) await cluster.down();
  await endOwnDocker(store.folders.state);
  await end(bedProcesses(store.folders.state));
  await removeBed(store.folders.state);
}

async function endServices({ folders }: Store): Promise<void> {
  await end(bedProcesses(folders.state).filter(({ command }) => command.startsWith('java ')));
}

/** A crash may have left either of them, and no record of which. */
async function bothClusters(store: Store): Promise<Cluster[]> {
  return [await createCluster('local', store), await createCluster('kind', store)];
}

async function refuseOthers({ folders }: Store): Promise<void> {
  refuseOtherCheckout(await readBed(folders.state), folders.checkout, bedProcesses(folders.state)[0]?.pid);
}

/** One command at a time works on the machine's bed. */
function alone<T>({ folders, reporter }: Store, work: () => Promise<T>): Promise<T> {
  const self = { pid: process.pid, checkout: folders.checkout };
  return withLock(
    'test bed',
    self,
    ({ pid, checkout }) => reporter.print(`  waiting for process ${pid} of ${checkout}, which works on the test bed`),
    work,
  );
}
