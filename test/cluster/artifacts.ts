// The programs that both clusters are made of.
import { join } from 'node:path';
import type { Artifact } from './artifact.ts';
import { goArtifact } from './go.ts';

export const kubernetesVersion = '1.35.4';
const modules = join(import.meta.dirname, 'go');

/** One executable for all of Kubernetes: the parts share most of their code, so they build and load as one. */
export function kube(): Promise<Artifact> {
  const [major, minor] = kubernetesVersion.split('.');
  const version = (name: string, value: string) =>
    ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map((p) => `-X ${p}.${name}=${value}`).join(' ');
  return goArtifact({
    name: 'kube',
    title: `Kubernetes ${kubernetesVersion} as one program (about 6 minutes on 2 cores when nothing is cached)`,
    module: join(modules, 'kube'),
    ldflags: [
      version('gitVersion', `v${kubernetesVersion}`),
      version('gitMajor', major ?? ''),
      version('gitMinor', minor ?? ''),
      version('gitTreeState', 'clean'),
      version('gitCommit', '0'.repeat(40)),
      version('buildDate', '1970-01-01T00:00:00Z'),
    ].join(' '),
    links: ['kubectl'],
    tryOut: ['kubectl', 'version', '--client'],
  });
}

/** CoreDNS with the plugins that the two clusters' Corefiles name. */
export function coredns(): Promise<Artifact> {
  return goArtifact({
    name: 'coredns',
    title: 'CoreDNS (about 3 minutes when nothing is cached)',
    module: join(modules, 'dns'),
    tryOut: ['-version'],
  });
}

/** The container that holds each pod's namespaces. */
export function pause(): Promise<Artifact> {
  return goArtifact({ name: 'pause', title: 'pause', module: join(modules, 'pause'), tryOut: ['-version'] });
}

export function helm(): Promise<Artifact> {
  return goArtifact({
    name: 'helm',
    title: 'helm (about 2 minutes when nothing is cached)',
    module: join(modules, 'helm'),
    package: 'helm.sh/helm/v4/cmd/helm',
    ldflags: '-X helm.sh/helm/v4/internal/version.version=v4.3.1',
    tryOut: ['version', '--short'],
  });
}
