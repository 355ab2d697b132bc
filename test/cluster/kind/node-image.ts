// The programs and the image that the own way of a kind cluster is made of.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Artifact, artifactKey, provide, type Store } from '../artifact.ts';
import { coredns, kube, kubernetesVersion, pause } from '../artifacts.ts';
import { goArtifact } from '../go.ts';
import type { SystemPackage } from '../packages.ts';

export const kindVersion = 'v0.33.0';
export const nodeImageName = `k2-feed-operator/kind-node:${kubernetesVersion}`;

/** For building and running it. */
export const ownPackages: SystemPackage[] = [
  { name: 'docker.io', why: "runs the cluster's nodes; brings containerd and runc", proof: 'dockerd' },
  { name: 'tini', why: 'reaps in namespaces of our own', proof: 'tini' },
  { name: 'iproute2', why: 'connects them', proof: 'ip' },
  { name: 'nftables', why: 'seals them', proof: 'nft' },
  { name: 'debootstrap', why: 'makes the node image', proof: 'debootstrap' },
  {
    name: 'debian-archive-keyring',
    why: 'lets debootstrap check it',
    proof: '/usr/share/keyrings/debian-archive-keyring.gpg',
  },
];

export function kindCli(): Promise<Artifact> {
  return goArtifact({
    name: 'kind',
    title: `kind ${kindVersion}`,
    module: join(import.meta.dirname, 'cli'),
    package: 'sigs.k8s.io/kind',
    tryOut: ['version'],
  });
}

export function runccap(): Promise<Artifact> {
  return goArtifact({
    name: 'runccap',
    title: 'runccap, for machines whose root lacks a capability',
    module: join(import.meta.dirname, '..', 'go', 'runccap'),
    tryOut: ['-version'],
  });
}

/** `node.tar`, as `docker load` reads it, and `image-id`, by which a daemon that has it knows it. */
export async function nodeImage(store: Store): Promise<Artifact> {
  const parts = await Promise.all([kube(), coredns(), pause()]);
  const [kubeKey = '', corednsKey = '', pauseKey = ''] = await Promise.all(parts.map(artifactKey));
  return {
    name: 'kind-node',
    title: `image of a kind node with Kubernetes ${kubernetesVersion} (a minute)`,
    whatNext: 'A Debian mirror must be reachable for debootstrap; then run the same command again.',
    files: [join(import.meta.dirname, 'node')],
    values: { kube: kubeKey, coredns: corednsKey, pause: pauseKey, version: kubernetesVersion, name: nodeImageName },
    async build(folder, step) {
      const programs: string[] = [];
      for (const part of parts) programs.push(join(await provide(store, part), part.name));
      // debootstrap mounts /proc in what it makes: here that ends with it.
      const alone = [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        '--pid',
        '--mount-proc',
        '--fork',
        '--kill-child=KILL',
      ];
      const script = join(import.meta.dirname, 'node', 'build.sh');
      await step.run([...alone, script, ...programs, kubernetesVersion, nodeImageName, folder]);
    },
  };
}

/** As `docker image inspect` names it. */
export async function nodeImageId(folder: string): Promise<string> {
  return `sha256:${(await readFile(join(folder, 'image-id'), 'utf8')).trim()}`;
}
