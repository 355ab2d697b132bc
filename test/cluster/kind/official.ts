// A kind cluster where Docker and a container registry can be reached: kind's own node image, and Redpanda (a broker
// with a schema registry in it) as a container beside the node. Written by the documentation of both. It cannot run
// where no container registry is reached, as on the machines it was written on: a workflow that can is its only test.
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { provide, type Store } from '../artifact.ts';
import { kube } from '../artifacts.ts';
import type { Access, Cluster } from '../cluster.ts';
import { run } from '../command.ts';
import { isOnPath } from '../machine.ts';
import { type Step, step } from '../step.ts';
import { until } from '../until.ts';
import { clusterName, createCluster, deleteCluster, type Kind, loadArchives, nodeAddress } from './kind-cli.ts';
import { kindCli, kindVersion } from './node-image.ts';
import { servicesAnswer } from './services-answer.ts';

/** By digest, for the release of kind that names it: https://github.com/kubernetes-sigs/kind/releases/tag/v0.33.0 */
const nodeImage = 'kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0';
/** https://docs.redpanda.com/streaming/26.2/reference/releases/redpanda/ */
const redpandaImage = 'redpandadata/redpanda:v26.2.6';
export const officialImages = [nodeImage, redpandaImage];

const redpanda = `${clusterName}-redpanda`;
const brokerPort = 9092;
const registryPort = 8081;
/** Redpanda starts in seconds once its image is there. */
const redpandaMs = 60_000;
const tryAgain = 'run `make down`, then the same command again.';

export function createOfficialCluster(store: Store): Cluster {
  return {
    name: 'kind',
    artifacts: async () => [
      ...(isOnPath('kubectl') ? [] : [await kube()]),
      ...(isOnPath('kind') ? [] : [await kindCli()]),
    ],
    up: () => up(store),
    async down() {
      if ((await leftovers(store)).length > 0) await takeAway(store);
    },
    async loadImages(archives) {
      const kind = await kindOf(store);
      await step(store.reporter, 'Images into the kind cluster', tryAgain, (s) => loadArchives(kind, s, archives));
    },
    services: ({ hostAddress }) => ({
      bootstrapServers: `${hostAddress}:${brokerPort}`,
      schemaRegistryUrl: `http://${hostAddress}:${registryPort}`,
    }),
    leftovers: () => leftovers(store),
  };
}

async function up(store: Store): Promise<Access> {
  const kind = await kindOf(store);
  const kubectl = isOnPath('kubectl') ? 'kubectl' : join(await provide(store, await kube()), 'kubectl');
  const kubeconfig = join(runFolder(store), 'kubeconfig');
  const control = [kubectl, '--kubeconfig', kubeconfig];
  if (!(await answers([...control, '--request-timeout=5s', 'get', '--raw=/readyz']))) {
    if ((await leftovers(store)).length > 0) await takeAway(store);
    await mkdir(runFolder(store), { recursive: true });
    await step(store.reporter, 'kind cluster with its official node image', tryAgain, async (current) => {
      await createCluster(kind, current, { config: 'official-cluster.yaml', image: await imageFor(kind), kubeconfig });
      await servicesAnswer(kind, current, control);
    });
  }
  const hostAddress = await gateway();
  if (!(await answers(['docker', 'exec', redpanda, 'rpk', 'cluster', 'health'])))
    await step(store.reporter, 'Redpanda beside the kind cluster', tryAgain, (s) => startRedpanda(s, hostAddress));
  return { kubeconfig, kubectl, hostAddress, nodeAddress: await nodeAddress(kind) };
}

async function takeAway(store: Store): Promise<void> {
  const kind = await kindOf(store);
  await step(store.reporter, 'kind cluster and Redpanda: deleted', 'run `make down` again.', async (current) => {
    await deleteCluster(kind, current, join(runFolder(store), 'kubeconfig'));
    await current.run(['docker', 'rm', '--force', '--volumes', redpanda]);
    await rm(runFolder(store), { recursive: true, force: true });
  });
}

/** None where no Docker daemon answers. The network "kind" stays, as kind leaves it. */
async function leftovers(store: Store): Promise<string[]> {
  const containers = ['docker', 'ps', '--all', '--filter', `name=^${clusterName}-`, '--format', 'container {{.Names}}'];
  const found = await run(containers).catch(() => '');
  const folder = existsSync(runFolder(store)) ? [`folder ${runFolder(store)}`] : [];
  return [...found.split('\n').filter((line) => line !== ''), ...folder];
}

function runFolder(store: Store): string {
  return join(store.folders.state, 'kind-official');
}

async function kindOf(store: Store): Promise<Kind> {
  return { program: isOnPath('kind') ? 'kind' : join(await provide(store, await kindCli()), 'kind'), env: {} };
}

/** A node image fits the release of kind that it was made for; another release brings its own. */
async function imageFor({ program }: Kind): Promise<string | undefined> {
  return (await run([program, 'version'])).includes(kindVersion) ? nodeImage : undefined;
}

function answers(command: readonly string[]): Promise<boolean> {
  return run(command).then(
    () => true,
    () => false,
  );
}

/** This machine's address in the nodes' network: what listens on it is reached by pods and by this machine. */
async function gateway(): Promise<string> {
  const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}';
  const addresses = (await run(['docker', 'network', 'inspect', '--format', format, 'kind'])).trim().split(/\s+/);
  const address = addresses.find((each) => each.includes('.'));
  if (address === undefined)
    throw new Error(`Docker's network "kind" has no IPv4 gateway, only ${addresses.join(' ')}`);
  return address;
}

/**
 * One broker at the gateway's address, so that pods and this machine use the same one. For `dev-container` see
 * https://docs.redpanda.com/streaming/26.2/reference/rpk/rpk-redpanda/rpk-redpanda-start/
 */
async function startRedpanda(current: Step, address: string): Promise<void> {
  await current.run(['docker', 'rm', '--force', '--volumes', redpanda]);
  const ports = [brokerPort, registryPort].flatMap((port) => ['--publish', `${address}:${port}:${port}`]);
  const size = ['--mode', 'dev-container', '--smp', '1', '--memory', '1G'];
  const kafka = ['--kafka-addr', `0.0.0.0:${brokerPort}`, '--advertise-kafka-addr', `${address}:${brokerPort}`];
  const registry = ['--schema-registry-addr', `0.0.0.0:${registryPort}`];
  const container = ['docker', 'run', '--detach', '--name', redpanda, '--network', 'kind', ...ports, redpandaImage];
  await current.run([...container, 'redpanda', 'start', ...size, ...kafka, ...registry]);
  const rpk = ['docker', 'exec', redpanda, 'rpk', 'cluster'];
  await until('Redpanda to be healthy', redpandaMs, () => current.run([...rpk, 'health']));
  // The mode lets anyone make a topic by writing to it; here the controller makes them.
  await current.run([...rpk, 'config', 'set', 'auto_create_topics_enabled', 'false']);
  const subjects = `http://${address}:${registryPort}/subjects`;
  await until('the schema registry', redpandaMs, async () => (await fetch(subjects)).ok || undefined);
}
