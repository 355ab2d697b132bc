// The project's container images, from its Dockerfiles as they are, as one archive in which they share their layers.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Artifact, provide, type Store } from './artifact.ts';
import { baseImage } from './base-image.ts';
import { type Docker, runningDockerCanBuild, withOwnDocker, withRunningDocker } from './docker.ts';

const dockerfiles = {
  'k2-feed-operator/controller:dev': 'Dockerfile.controller',
  'k2-feed-operator/worker:dev': 'Dockerfile.worker',
  'k2-feed-operator/exchange-simulator:dev': 'test/simulator/Dockerfile',
};

/** The archive with the three images, built again only when something changed that a Dockerfile copies. */
export async function provideImages(store: Store): Promise<string> {
  const folder = await provide(store, await images(store));
  return join(folder, 'images.tar');
}

async function images(store: Store): Promise<Artifact> {
  const { checkout } = store.folders;
  const running = await runningDockerCanBuild();
  const base = running ? undefined : await provide(store, await baseImage());
  const withDocker: typeof withRunningDocker =
    base === undefined ? withRunningDocker : (step, work) => withOwnDocker(store, base, step, work);
  const files = Object.values(dockerfiles).flatMap((path) => {
    const sources = copiedPaths(readFileSync(join(checkout, path), 'utf8'));
    return [path, ...sources].map((source) => join(checkout, source));
  });
  const ignore = join(checkout, '.dockerignore');
  return {
    name: 'images',
    title: `Images of controller, worker and simulator, by ${running ? 'the running' : 'our own'} Docker daemon`,
    whatNext: 'the log has the output of docker build; docker.io must be installed, or a Docker daemon running.',
    files: [...new Set([...files, ...(existsSync(ignore) ? [ignore] : [])])],
    values: { base: base === undefined ? 'from a container registry' : basename(base) },
    onlyLatest: true,
    build: (folder, step) => withDocker(step, (docker) => buildAll(docker, checkout, folder)),
  };
}

async function buildAll(docker: Docker, checkout: string, folder: string): Promise<void> {
  for (const [tag, path] of Object.entries(dockerfiles)) {
    // The network of the machine: our own daemon has no other, and npm must reach its registry.
    const options = ['--network=host', '--progress=plain', '--tag', tag, '--file', join(checkout, path)];
    await docker('build', ...options, checkout);
  }
  await docker('save', '--output', join(folder, 'images.tar'), ...Object.keys(dockerfiles));
}

/** The paths below the build context that a Dockerfile copies into its stages: what the images are made of. */
export function copiedPaths(dockerfile: string): string[] {
  return dockerfile
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] === 'COPY' && !words.some((word) => word.startsWith('--from=')))
    .flatMap((words) => words.slice(1, -1).filter((word) => !word.startsWith('--')));
}
