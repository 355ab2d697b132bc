// The system packages that the test bed needs: installed where that can be done without asking, named where it cannot.
import { existsSync } from 'node:fs';
import type { Cluster } from './cluster.ts';
import { isOnPath } from './machine.ts';
import { type Reporter, step } from './step.ts';

export interface SystemPackage {
  /** Debian's and Ubuntu's name for it. */
  name: string;
  why: string;
  /** A program on PATH, or an absolute path, by which it is recognised, whoever installed it. */
  proof: string;
}

const forServices: SystemPackage[] = [
  { name: 'default-jdk-headless', why: 'runs Kafka and the schema registry', proof: 'javac' },
  { name: 'maven', why: 'gets and packages them', proof: 'mvn' },
];
const forImages: SystemPackage[] = [
  { name: 'docker.io', why: 'builds the Dockerfiles; brings containerd and runc', proof: 'dockerd' },
  { name: 'tini', why: 'reaps in namespaces of our own', proof: 'tini' },
  { name: 'debootstrap', why: 'makes the base image', proof: 'debootstrap' },
  {
    name: 'debian-archive-keyring',
    why: 'lets debootstrap check it',
    proof: '/usr/share/keyrings/debian-archive-keyring.gpg',
  },
];
const forLocal: SystemPackage[] = [
  { name: 'containerd', why: 'runs the pods', proof: 'containerd' },
  { name: 'runc', why: 'runs the pods', proof: 'runc' },
  { name: 'containernetworking-plugins', why: 'connects the pods', proof: '/usr/lib/cni/bridge' },
  { name: 'nftables', why: "carries the Services' rules", proof: 'nft' },
  { name: 'iptables', why: 'maps host ports', proof: 'iptables' },
  { name: 'conntrack', why: 'lets kube-proxy end stale connections', proof: 'conntrack' },
  { name: 'iproute2', why: 'makes the interfaces', proof: 'ip' },
  { name: 'openssl', why: "makes the cluster's certificates", proof: 'openssl' },
];

/** Of the whole bed, or of broker and registry alone. */
export function neededPackages(cluster: Cluster['name'] | null): SystemPackage[] {
  if (cluster === null) return forServices;
  return cluster === 'local' ? [...forServices, ...forImages, ...forLocal] : forServices;
}

export function missingPackages(needed: readonly SystemPackage[]): SystemPackage[] {
  return needed.filter(({ proof }) => (proof.startsWith('/') ? !existsSync(proof) : !isOnPath(proof)));
}

/** What there is no right package for: Debian's Go is too old for the module versions that are pinned here. */
export function requireGo(): void {
  if (isOnPath('go')) return;
  throw new Error(
    'Go 1.26 or newer is not on PATH: install it from https://go.dev/doc/install (Debian bookworm has an older one)',
  );
}

/** Installs what is missing. @throws StepFailed, with what to do, where this cannot install packages */
export async function ensurePackages(reporter: Reporter, needed: readonly SystemPackage[]): Promise<void> {
  const missing = missingPackages(needed);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const byHand = `run \`apt-get install --no-install-recommends ${names.join(' ')}\` as root (Debian or Ubuntu), or install the like`;
  for (const { name, why } of missing) reporter.print(`    ${name}: ${why}`);
  await step(reporter, `System packages: ${names.length} to install`, byHand, async (current) => {
    if (process.getuid?.() !== 0 || !isOnPath('apt-get'))
      throw new Error('packages can be installed only by root, with apt');
    // RUNLEVEL=1 keeps a package from starting its daemon where no systemd runs: https://manpages.debian.org/invoke-rc.d
    const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    await current.run(['apt-get', 'update'], { env });
    await current.run(['apt-get', 'install', '--yes', '--no-install-recommends', ...names], { env });
  });
}
