// Finds things in what the chart renders.
import { expect } from 'vitest';
import { type Container, type Manifest, type PodSpec, releaseNamespace } from './helm.ts';

/** The one object of a kind that is no part of `helm test`. */
export function one(manifests: Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter(
    (manifest) =>
      manifest.kind === kind && !isOfTest(manifest) && (name ?? manifest.metadata.name) === manifest.metadata.name,
  );
  expect(found, `one ${kind}`).toHaveLength(1);
  return found[0] as Manifest;
}

export const kindsOf = (manifests: Manifest[]): string[] => manifests.map(({ kind }) => kind);

/** Made by `helm test`, and by nothing else. */
export const isOfTest = ({ metadata }: Manifest): boolean => metadata.annotations?.['helm.sh/hook'] === 'test';

/** `<namespace>/<kind>/<name>`; of an object without a namespace the release's stands there. */
export const idOf = ({ kind, metadata }: Manifest): string =>
  `${metadata.namespace ?? releaseNamespace}/${kind}/${metadata.name}`;

/** The pods that an install makes: of Deployments, and those of `helm test`. */
export function pods(manifests: Manifest[]): [name: string, pod: PodSpec][] {
  return manifests.flatMap(({ kind, metadata, spec }) => {
    const pod = kind === 'Pod' ? (spec as unknown as PodSpec) : spec?.template?.spec;
    return pod ? [[`${kind}/${metadata.name}`, pod] as [string, PodSpec]] : [];
  });
}

export interface Controller {
  pod: PodSpec;
  container: Container;
  environment: Record<string, string | undefined>;
}

export function controllerOf(manifests: Manifest[]): Controller {
  const pod = one(manifests, 'Deployment').spec?.template?.spec;
  const container = pod?.containers[0];
  if (!pod || !container) throw new Error('the Deployment has no container');
  const environment = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
  return { pod, container, environment };
}

/** Whether labels are selected by a selector with `matchLabels` alone. */
export function isSelected(labels: Record<string, string> = {}, matchLabels: Record<string, string>): boolean {
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}
