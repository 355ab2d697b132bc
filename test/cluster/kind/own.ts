// A kind cluster where no container registry can be reached: kind's own program, a node image made here, and a Docker
// daemon in namespaces of its own. The cluster reaches this machine at one address, and nothing else.
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artifact, provide, type Store } from '../artifact.ts';
import { kube } from '../artifacts.ts';
import type { Access } from '../cluster.ts';
import { run } from '../command.ts';
import { type Step, step } from '../step.ts';
import * as daemon from './daemon.ts';
import {
  createCluster,
  deleteCluster,
  internalKubeconfig,
  type Kind,
  type KindCluster,
  loadArchives,
  nodeAddress,
} from './kind-cli.ts';
import { reachedAt } from './kubeconfig.ts';
import { kindCli, nodeImage, nodeImageId, nodeImageName, runccap } from './node-image.ts';
import { servicesAnswer } from './services-answer.ts';

const tryAgain = 'Run `make down`, then the same command again.';

interface Own {
  store: Store;
  /** Of the running cluster: the daemon's socket and the kubeconfig. */
  runFolder: string;
  /** Of the daemon's images: kept from one cluster to the next, so that the node image is there. */
  dataFolder: string;
  artifacts: { kube: Artifact; kind: Artifact; runccap: Artifact; node: Artifact };
}

export async function createOwnCluster(store: Store): Promise<KindCluster> {
  const own: Own = {
    store,
    runFolder: join(store.folders.state, 'kind'),
    dataFolder: join(store.folders.cache, 'kind-docker'),
    artifacts: { kube: await kube(), kind: await kindCli(), runccap: await runccap(), node: await nodeImage(store) },
  };
  return {
    name: 'kind',
    artifacts: () => Object.values(own.artifacts),
    up: () => up(own),
    async down() {
      if ((await leftovers(own)).length > 0) await takeAway(own);
    },
    async loadImages(archives) {
      const kind = await kindOf(own);
      await step(store.reporter, 'Images into the kind cluster', tryAgain, (s) => loadArchives(kind, s, archives));
    },
    leftovers: () => leftovers(own),
    services: () => null,
  };
}

/** Whether a cluster of this kind runs, or part of one. */
export function ownRuns(store: Store): boolean {
  return daemon.firstProcess(join(store.folders.state, 'kind')) !== undefined;
}

async function up(own: Own): Promise<Access> {
  const other = daemon.otherDaemon(own.runFolder);
  if (other)
    throw new Error(
      `A kind cluster runs from ${other}. Its addresses are fixed, so this machine carries only one: run \`make down\` there first.`,
    );
  const kubectl = join(await provide(own.store, own.artifacts.kube), 'kubectl');
  const running = await runningCluster(own, kubectl);
  if (running) return running;
  if ((await leftovers(own)).length > 0) await takeAway(own);
  const kind = await kindOf(own);
  const runtime = join(await provide(own.store, own.artifacts.runccap), 'runccap');
  const node = await provide(own.store, own.artifacts.node);
  const { reporter } = own.store;
  await step(reporter, 'Docker daemon in a sealed network of its own', tryAgain, (s) =>
    startDaemon(own, runtime, node, s),
  );
  return step(reporter, 'kind cluster, until its Services answer', tryAgain, (s) => create(own, kind, kubectl, s));
}

async function startDaemon(own: Own, runtime: string, node: string, current: Step): Promise<void> {
  const env = { DOCKER_HOST: daemon.dockerHost(own.runFolder) };
  const id = await nodeImageId(node);
  if ((await readFile(wholeMarker(own), 'utf8').catch(() => '')) !== id)
    await rm(own.dataFolder, { recursive: true, force: true });
  // From here on the folder is in use, and whole again only when the daemon has ended by itself.
  await rm(wholeMarker(own), { force: true });
  const log = join(own.store.reporter.logs, 'dockerd.log');
  await daemon.startDaemon({ run: own.runFolder, data: own.dataFolder, log }, runtime);
  const there = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', nodeImageName], { env }).catch(
    () => '',
  );
  if (there.trim() !== id) await current.run(['docker', 'load', '--input', join(node, 'node.tar')], { env });
  // Made before kind would make it, for a range that is known.
  await current.run(['docker', 'network', 'create', '--subnet', daemon.nodesRange, 'kind'], { env });
}

async function create(own: Own, kind: Kind, kubectl: string, current: Step): Promise<Access> {
  await createCluster(kind, current, join(own.runFolder, 'kubeconfig-of-kind'), nodeImageName);
  const address = await nodeAddress(kind);
  const unproven = join(own.runFolder, 'kubeconfig-unproven');
  await writeFile(unproven, reachedAt(await internalKubeconfig(kind), address), { mode: 0o600 });
  await servicesAnswer(kind, current, [kubectl, '--kubeconfig', unproven]);
  await rename(unproven, kubeconfigOf(own));
  return accessOf(own, kubectl, address);
}

/** undefined: there is no cluster, or a part of one. */
async function runningCluster(own: Own, kubectl: string): Promise<Access | undefined> {
  if (!ownRuns(own.store) || !existsSync(kubeconfigOf(own))) return undefined;
  const ready = [kubectl, '--kubeconfig', kubeconfigOf(own), '--request-timeout=5s', 'get', '--raw=/readyz'];
  return run(ready).then(
    async () => accessOf(own, kubectl, await nodeAddress(await kindOf(own))),
    () => undefined,
  );
}

async function takeAway(own: Own): Promise<void> {
  const title = 'kind cluster: deleted, with its Docker daemon and network';
  await step(own.store.reporter, title, 'Run `make down` again.', async (current) => {
    const image = ownRuns(own.store) ? await emptyDaemon(own, current).catch(() => undefined) : undefined;
    const ended = await daemon.stopDaemon(own.runFolder);
    // Half a container or image in the folder is not worth looking for: the node image is loaded again in seconds.
    if (image !== undefined && ended) await writeFile(wholeMarker(own), image);
    else await rm(own.dataFolder, { recursive: true, force: true });
    await rm(own.runFolder, { recursive: true, force: true });
  });
}

/** @returns the id of the node image, all that the daemon then has */
async function emptyDaemon(own: Own, current: Step): Promise<string> {
  const kind = await kindOf(own);
  await deleteCluster(kind, current, join(own.runFolder, 'kubeconfig-of-kind'));
  await current.run(['docker', 'network', 'rm', 'kind'], kind);
  return (await current.run(['docker', 'image', 'inspect', '--format', '{{.Id}}', nodeImageName], kind)).trim();
}

/** The daemon of another state folder is not ours to end, nor are its interface and cgroups. */
async function leftovers(own: Own): Promise<string[]> {
  if (daemon.otherDaemon(own.runFolder) !== undefined) return [];
  return [...(await daemon.daemonLeftovers()), ...(existsSync(own.runFolder) ? [`folder ${own.runFolder}`] : [])];
}

async function kindOf(own: Own): Promise<Kind> {
  const program = join(await provide(own.store, own.artifacts.kind), 'kind');
  // A proxy in the environment would become the nodes' proxy.
  const noProxy = { HTTP_PROXY: undefined, HTTPS_PROXY: undefined, http_proxy: undefined, https_proxy: undefined };
  return { program, env: { DOCKER_HOST: daemon.dockerHost(own.runFolder), ...noProxy } };
}

function accessOf(own: Own, kubectl: string, nodeAddress: string): Access {
  return { kubeconfig: kubeconfigOf(own), kubectl, hostAddress: daemon.hostAddress, nodeAddress };
}

/** Written last: where it is, the cluster was complete. */
function kubeconfigOf(own: Own): string {
  return join(own.runFolder, 'kubeconfig');
}

/** Names the node image in the data folder. It is there only while the folder is whole and no daemon uses it. */
function wholeMarker(own: Own): string {
  return join(own.dataFolder, 'whole');
}
