// A kind cluster where Docker and a container registry can be reached: kind's own node image, and Redpanda (a broker with
// a schema registry in it) as a container beside the node. Written by the documentation of both; it needs a container
// registry, so it was never run on a machine without one: the workflow that runs it on kind is its test.
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artifact, provide, type Store } from '../artifact.ts';
import { kube } from '../artifacts.ts';
import type { Access } from '../cluster.ts';
import { run } from '../command.ts';
import { type Step, step } from '../step.ts';
import { until } from '../until.ts';
import {
  clusterName,
  createCluster,
  deleteCluster,
  type Kind,
  type KindCluster,
  loadArchives,
  nodeAddress,
} from './kind-cli.ts';
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
const tryAgain = 'Run `make down`, then the same command again.';

export async function createOfficialCluster(store: Store): Promise<KindCluster> {
  const runFolder = join(store.folders.state, 'kind');
  const kubeconfig = join(runFolder, 'kubeconfig');
  const kind = await onPathOr('kind', await kindCli());
  const kubectl = await onPathOr('kubectl', await kube());
  const program = async (): Promise<Kind> => ({ program: await kind.path(store), env: {} });

  async function up(): Promise<Access> {
    const tool = await program();
    const control = [await kubectl.path(store), '--kubeconfig', kubeconfig];
    await mkdir(runFolder, { recursive: true });
    if (!(await answers(control))) {
      await down();
      await mkdir(runFolder, { recursive: true });
      await step(store.reporter, 'kind cluster with its official node image', tryAgain, async (s) => {
        await createCluster(tool, s, kubeconfig, await imageFor(tool));
        await servicesAnswer(tool, s, control);
      });
    }
    const hostAddress = await gateway();
    if (!(await redpandaRuns()))
      await step(store.reporter, 'Redpanda beside the kind cluster', tryAgain, (s) => startRedpanda(s, hostAddress));
    return { kubeconfig, kubectl: control[0] ?? '', hostAddress, nodeAddress: await nodeAddress(tool) };
  }

  async function down(): Promise<void> {
    if ((await leftovers()).length === 0) return;
    const tool = await program();
    await step(store.reporter, 'kind cluster and Redpanda: deleted', 'Run `make down` again.', async (s) => {
      await deleteCluster(tool, s, kubeconfig);
      await s.run(['docker', 'rm', '--force', '--volumes', redpanda]);
      await rm(runFolder, { recursive: true, force: true });
    });
  }

  async function leftovers(): Promise<string[]> {
    const named = ['--filter', `name=^${clusterName}-`, '--format', 'container {{.Names}}'];
    const containers = (await run(['docker', 'ps', '--all', ...named])).split('\n').filter((line) => line !== '');
    return [...containers, ...(existsSync(runFolder) ? [`folder ${runFolder}`] : [])];
  }

  return {
    name: 'kind',
    artifacts: () => [...kind.artifacts, ...kubectl.artifacts],
    up,
    down,
    async loadImages(archives) {
      const tool = await program();
      await step(store.reporter, 'Images into the kind cluster', tryAgain, (s) => loadArchives(tool, s, archives));
    },
    leftovers,
    services: ({ hostAddress }) => ({
      bootstrapServers: `${hostAddress}:${brokerPort}`,
      schemaRegistryUrl: `http://${hostAddress}:${registryPort}`,
    }),
  };
}

/** What the user has installed, or else what is built here. */
async function onPathOr(name: string, artifact: Artifact) {
  const found = (await run(['which', name]).catch(() => '')).trim();
  return {
    artifacts: found === '' ? [artifact] : [],
    path: async (store: Store) => found || join(await provide(store, artifact), name),
  };
}

/** A node image fits the release of kind that it was made for; another release brings its own. */
async function imageFor({ program }: Kind): Promise<string | undefined> {
  return (await run([program, 'version'])).includes(kindVersion) ? nodeImage : undefined;
}

function answers(control: readonly string[]): Promise<boolean> {
  return run([...control, '--request-timeout=5s', 'get', '--raw=/readyz']).then(
    () => true,
    () => false,
  );
}

/** This machine's address in the nodes' network: what listens on all addresses is reached there by pods and host. */
async function gateway(): Promise<string> {
  const format = '{{range .IPAM.Config}}{{.Gateway}} {{end}}';
  const addresses = (await run(['docker', 'network', 'inspect', '--format', format, 'kind'])).trim().split(/\s+/);
  const address = addresses.find((each) => each.includes('.'));
  if (address === undefined) throw new Error(`Docker's network "kind" has no IPv4 gateway: ${addresses.join(', ')}`);
  return address;
}

async function redpandaRuns(): Promise<boolean> {
  return (
    (await run(['docker', 'inspect', '--format', '{{.State.Running}}', redpanda]).catch(() => '')).trim() === 'true'
  );
}

/**
 * One broker on the gateway's address, so that pods and this machine use the same one.
 * `dev-container` mode: https://docs.redpanda.com/streaming/26.2/reference/rpk/rpk-redpanda/rpk-redpanda-start/
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
  await until('Redpanda to be healthy', redpandaMs, () => current.run([...rpk, 'health', '--exit-when-healthy']));
  // The mode makes topics of any name that is asked for; here the controller makes them.
  await current.run([...rpk, 'config', 'set', 'auto_create_topics_enabled', 'false']);
  await until(
    'the schema registry',
    redpandaMs,
    async () => (await fetch(`http://${address}:${registryPort}/subjects`)).ok || undefined,
  );
}
