// The calls of kind and docker that both ways of a kind cluster share.
import { join } from 'node:path';
import { run } from '../command.ts';
import type { Step } from '../step.ts';

/** Also in the two *-cluster.yaml. */
export const clusterName = 'k2-feed-operator';
export const nodeName = `${clusterName}-control-plane`;
/** A node is Ready within 10 s on 2 cores; several times that beside other work. */
const readyLimit = '120s';

export interface Kind {
  /** Path of the program. */
  program: string;
  /** Where the Docker daemon is, if not where docker looks by itself. */
  env: Record<string, string | undefined>;
}

export interface NewCluster {
  /** File of this folder. */
  config: string;
  /** Name of the node image; undefined: the one that kind's release names. */
  image: string | undefined;
  /** File that kind adds the cluster to, so that ~/.kube/config stays as it is. */
  kubeconfig: string;
}

export function createCluster({ program, env }: Kind, step: Step, cluster: NewCluster): Promise<string> {
  const config = ['--config', join(import.meta.dirname, cluster.config), '--kubeconfig', cluster.kubeconfig];
  const image = cluster.image === undefined ? [] : ['--image', cluster.image];
  return step.run([program, 'create', 'cluster', ...config, ...image, '--wait', readyLimit], { env });
}

export function deleteCluster({ program, env }: Kind, step: Step, kubeconfig: string): Promise<string> {
  return step.run([program, 'delete', 'cluster', '--name', clusterName, '--kubeconfig', kubeconfig], { env });
}

export async function loadArchives({ program, env }: Kind, step: Step, archives: readonly string[]): Promise<void> {
  for (const archive of archives)
    await step.run([program, 'load', 'image-archive', '--name', clusterName, archive], { env });
}

/** As the nodes see it: by the node container's name. */
export function internalKubeconfig({ program, env }: Kind): Promise<string> {
  return run([program, 'get', 'kubeconfig', '--internal', '--name', clusterName], { env });
}

/** Where this machine reaches the node container. @throws CommandFailed when there is none */
export async function nodeAddress({ env }: Kind): Promise<string> {
  const format = '{{.NetworkSettings.Networks.kind.IPAddress}}';
  return (await run(['docker', 'inspect', '--format', format, nodeName], { env })).trim();
}
