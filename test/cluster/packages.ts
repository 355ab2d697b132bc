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

/** Of go 1.x: what go.mod of helm, the newest of the modules, asks for. */
const leastGoMinor = 26;

/**
 * @param cluster null: broker and registry alone
 * @param docker a Docker daemon runs: with it, a kind cluster needs none of the programs under it
 */
export function neededPackages(cluster: Cluster['name'] | null, docker: boolean): SystemPackage[] {
  if (cluster === null || (cluster === 'kind' && docker)) return forServices;
  return [...forServices, ...forImages, ...forLocal];
}

export function missingPackages(needed: readonly SystemPackage[]): SystemPackage[] {
  return needed.filter(({ proof }) => (proof.startsWith('/') ? !existsSync(proof) : !isOnPath(proof)));
}

/**
 * Debian's Go is too old for the module versions that are pinned here, so no package is installed for it.
 * @param version what `go env GOVERSION` prints, "go1.26.8"; undefined where there is no Go
 * @throws Error that says what to install
 */
export function requireGo(version: string | undefined): void {
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (Number(major) > 1 || Number(minor) >= leastGoMinor) return;
  const found = version === undefined ? 'Go is not on PATH' : `Go on PATH is ${version}`;
  throw new Error(
    `${found}, and Kubernetes is built with it: install Go 1.${leastGoMinor} or newer from https://go.dev/doc/install ` +
      '(the package of Debian and Ubuntu is too old)',
  );
}

/** Installs what is missing. @throws StepFailed, with what to do, where this cannot install packages */
export async function ensurePackages(reporter: Reporter, needed: readonly SystemPackage[]): Promise<void> {
  const missing = missingPackages(needed);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name);
  const command = `apt-get install --no-install-recommends ${names.join(' ')}`;
  const byHand = `run \`${command}\` as root (Debian or Ubuntu), or install the like`;
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
