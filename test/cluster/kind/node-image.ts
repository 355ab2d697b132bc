// The programs and the image that the own way of a kind cluster is made of. The image is for amd64 alone.
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

/** debootstrap mounts /proc in what it makes: in a mount namespace of its own that ends with it. */
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

export function debian(): Artifact {
  return {
    name: 'kind-debian',
    title: 'Debian for a kind node, made with debootstrap (about a minute)',
    whatNext: 'debootstrap (with debian-archive-keyring) must be installed and reach its package mirror.',
    files: [join(import.meta.dirname, 'debian')],
    values: { architecture: process.arch },
    async build(folder, step) {
      await step.run([...alone, join(import.meta.dirname, 'debian', 'build.sh'), folder]);
    },
  };
}

/** `node.tar`, as `docker load` reads it, and `image-id`, by which a daemon that has it knows it. */
export async function nodeImage(store: Store): Promise<Artifact> {
  const programs = [await kube(), await coredns(), await pause()];
  const keys = await Promise.all([debian(), ...programs].map(async (part) => [part.name, await artifactKey(part)]));
  return {
    name: 'kind-node',
    title: `Image of a kind node with Kubernetes ${kubernetesVersion}`,
    whatNext: 'the log has the output of test/cluster/kind/node/build.sh.',
    files: [join(import.meta.dirname, 'node')],
    values: { ...Object.fromEntries(keys), version: kubernetesVersion, name: nodeImageName },
    onlyLatest: true,
    async build(folder, step) {
      const parts = [join(await provide(store, debian()), 'debian.tar')];
      for (const program of programs) parts.push(join(await provide(store, program), program.name));
      const script = join(import.meta.dirname, 'node', 'build.sh');
      await step.run([script, ...parts, kubernetesVersion, nodeImageName, folder]);
    },
  };
}

/** As `docker image inspect` names it. */
export async function nodeImageId(folder: string): Promise<string> {
  return `sha256:${(await readFile(join(folder, 'image-id'), 'utf8')).trim()}`;
}
