// A kind cluster where no container registry can be reached: kind's own program, a node image made here, and a Docker
// daemon in namespaces of its own. The cluster reaches this machine at one address, and nothing else.
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { provide, type Store } from '../artifact.ts';
import { coredns, kube, pause } from '../artifacts.ts';
import type { Access, Cluster } from '../cluster.ts';
import { run } from '../command.ts';
import { ensurePackages } from '../packages.ts';
import { type Step, step } from '../step.ts';
import * as daemon from './daemon.ts';
import { createCluster, deleteCluster, internalKubeconfig, type Kind, loadArchives, nodeAddress } from './kind-cli.ts';
import { reachedAt } from './kubeconfig.ts';
import { debian, kindCli, nodeImage, nodeImageId, nodeImageName, ownPackages, runccap } from './node-image.ts';
import { servicesAnswer } from './services-answer.ts';

const tryAgain = 'run `make down`, then the same command again.';

export function createOwnCluster(store: Store): Cluster {
  return {
    name: 'kind',
    refuseTaken: () => refuseTaken(store),
    async artifacts() {
      if (process.platform !== 'linux' || process.arch !== 'x64' || process.getuid?.() !== 0)
        throw new Error('a kind cluster needs a Docker daemon and a container registry, or else Linux, amd64 and root');
      await ensurePackages(store.reporter, ownPackages);
      return [
        await kube(),
        await coredns(),
        await pause(),
        await kindCli(),
        await runccap(),
        debian(),
        await nodeImage(store),
      ];
    },
    up: () => up(store),
    async down() {
      if (leftovers(store).length > 0) await takeAway(store);
    },
    async loadImages(archives) {
      const kind = await kindOf(store);
      await step(store.reporter, 'Images into the kind cluster', tryAgain, (s) => loadArchives(kind, s, archives));
    },
    services: () => null,
    leftovers: async () => leftovers(store),
  };
}

/** Whether a cluster of this kind runs, or part of one. */
export function ownRuns(store: Store): boolean {
  return daemon.firstProcess(runFolder(store)) !== undefined;
}

/** @throws Error when the cluster of another state folder runs */
async function refuseTaken(store: Store): Promise<void> {
  const other = daemon.otherDaemon(runFolder(store));
  if (other === undefined) return;
  const { pid, state } = other;
  throw new Error(
    `the addresses ${daemon.hostAddress} and ${daemon.nodesRange} are taken by the kind cluster of another test bed ` +
      `(process ${pid}, state in ${dirname(state)}): run \`make down\` there first, and then this again`,
  );
}

async function up(store: Store): Promise<Access> {
  await refuseTaken(store);
  const kubectl = join(await provide(store, await kube()), 'kubectl');
  const running = await runningCluster(store, kubectl);
  if (running) return running;
  if (leftovers(store).length > 0) await takeAway(store);
  const kind = await kindOf(store);
  const runtime = join(await provide(store, await runccap()), 'runccap');
  const node = await provide(store, await nodeImage(store));
  await step(store.reporter, 'Docker daemon in a sealed network of its own', tryAgain, (s) =>
    startDaemon(store, kind, runtime, node, s),
  );
  return step(store.reporter, 'kind cluster, until its Services answer', tryAgain, (s) =>
    create(store, kind, kubectl, s),
  );
}

async function startDaemon(store: Store, kind: Kind, runtime: string, node: string, current: Step): Promise<void> {
  const data = dataFolder(store);
  const id = await nodeImageId(node);
  if ((await readFile(wholeMarker(store), 'utf8').catch(() => '')) !== id)
    await rm(data, { recursive: true, force: true });
  // From here on the folder is in use, and whole again only when the daemon has ended by itself.
  await rm(wholeMarker(store), { force: true });
  const log = join(store.reporter.logs, 'dockerd-of-kind.log');
  await daemon.startDaemon({ run: runFolder(store), data, log }, runtime);
  if ((await nodeImageIn(kind).catch(() => '')) !== id)
    await current.run(['docker', 'load', '--input', join(node, 'node.tar')], kind);
  // kind would make it by itself, for a range that is not known.
  await current.run(['docker', 'network', 'create', '--subnet', daemon.nodesRange, 'kind'], kind);
}

async function create(store: Store, kind: Kind, kubectl: string, current: Step): Promise<Access> {
  await createCluster(kind, current, {
    config: 'own-cluster.yaml',
    image: nodeImageName,
    kubeconfig: kubeconfigOfKind(store),
  });
  const address = await nodeAddress(kind);
  const unproven = join(runFolder(store), 'kubeconfig-unproven');
  await writeFile(unproven, reachedAt(await internalKubeconfig(kind), address), { mode: 0o600 });
  await servicesAnswer(kind, current, [kubectl, '--kubeconfig', unproven]);
  await rename(unproven, kubeconfigOf(store));
  return accessOf(store, kubectl, address);
}

/** undefined: there is no cluster, or a part of one. */
async function runningCluster(store: Store, kubectl: string): Promise<Access | undefined> {
  if (!ownRuns(store) || !existsSync(kubeconfigOf(store))) return undefined;
  const ready = [kubectl, '--kubeconfig', kubeconfigOf(store), '--request-timeout=5s', 'get', '--raw=/readyz'];
  return run(ready).then(
    async () => accessOf(store, kubectl, await nodeAddress(await kindOf(store))),
    () => undefined,
  );
}

async function takeAway(store: Store): Promise<void> {
  const title = 'kind cluster: deleted, with its Docker daemon and network';
  await step(store.reporter, title, 'run `make down` again.', async (current) => {
    const image = ownRuns(store) ? await emptyDaemon(store, current).catch(() => undefined) : undefined;
    const ended = await daemon.stopDaemon(runFolder(store));
    // Half a container or image in the folder is not worth looking for: the node image is loaded again in seconds.
    if (image !== undefined && ended) await writeFile(wholeMarker(store), image);
    else await rm(dataFolder(store), { recursive: true, force: true });
    await rm(runFolder(store), { recursive: true, force: true });
  });
}

/** @returns the id of the node image, which is all that the daemon then has */
async function emptyDaemon(store: Store, current: Step): Promise<string> {
  const kind = await kindOf(store);
  await deleteCluster(kind, current, kubeconfigOfKind(store));
  await current.run(['docker', 'network', 'rm', 'kind'], kind);
  return nodeImageIn(kind);
}

async function nodeImageIn(kind: Kind): Promise<string> {
  return (await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', nodeImageName], kind)).trim();
}

/** The daemon of another state folder is not ours to end, nor are its interface and cgroups. */
function leftovers(store: Store): string[] {
  if (daemon.otherDaemon(runFolder(store)) !== undefined) return [];
  return [...daemon.daemonLeftovers(), ...(existsSync(runFolder(store)) ? [`folder ${runFolder(store)}`] : [])];
}

async function kindOf(store: Store): Promise<Kind> {
  const program = join(await provide(store, await kindCli()), 'kind');
  const docker = { DOCKER_HOST: daemon.dockerHost(runFolder(store)), DOCKER_CONTEXT: undefined };
  // A proxy named in the environment or in ~/.docker would become the nodes' proxy.
  const proxies = { HTTP_PROXY: undefined, HTTPS_PROXY: undefined, http_proxy: undefined, https_proxy: undefined };
  return { program, env: { ...docker, ...proxies, DOCKER_CONFIG: runFolder(store) } };
}

function accessOf(store: Store, kubectl: string, nodeAddress: string): Access {
  return { kubeconfig: kubeconfigOf(store), kubectl, hostAddress: daemon.hostAddress, nodeAddress };
}

/** Of the running cluster: the daemon's socket and the kubeconfig. */
function runFolder(store: Store): string {
  return join(store.folders.state, 'kind-own');
}

/** Of the daemon's images: kept from one cluster to the next, so that the node image is there. */
function dataFolder(store: Store): string {
  return join(store.folders.cache, 'kind-docker');
}

/** Names the node image in the data folder. It is there only while the folder is whole and no daemon uses it. */
function wholeMarker(store: Store): string {
  return join(dataFolder(store), 'whole');
}

/** Written last: where it is, the cluster was complete. */
function kubeconfigOf(store: Store): string {
  return join(runFolder(store), 'kubeconfig');
}

/** For the node's name, which this machine cannot resolve. */
function kubeconfigOfKind(store: Store): string {
  return join(runFolder(store), 'kubeconfig-of-kind');
}
