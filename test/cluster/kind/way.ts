// Which of two ways the kind cluster is made, decided by what this machine reaches.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** `official`: kind's own node image and Redpanda, pulled. `own`: a Docker daemon and a node image made here. */
export type Way = 'official' | 'own';

export interface Reach {
  /** A Docker daemon answers. */
  docker: boolean;
  /** The images are there, or their registry tells of them. */
  images: boolean;
  /** A cluster of the own way runs already. */
  ownRuns: boolean;
}

export function chooseWay(reach: Reach): { way: Way; why: string } {
  if (reach.ownRuns) return { way: 'own', why: 'such a cluster is here already' };
  if (!reach.docker) return { way: 'own', why: 'no Docker daemon answers' };
  if (!reach.images) return { way: 'own', why: 'a Docker daemon answers, but no container registry' };
  return { way: 'official', why: 'a Docker daemon and a container registry answer' };
}

/** A registry that is far away answers within a few seconds; one behind a firewall, often never. */
const answerMs = 20_000;

/** @param images names as `docker pull` takes them */
export async function lookAround(images: readonly string[]): Promise<Omit<Reach, 'ownRuns'>> {
  if (!(await succeeds(['docker', 'version', '--format', '{{.Server.Version}}'])))
    return { docker: false, images: false };
  const found = images.map(
    async (image) =>
      (await succeeds(['docker', 'image', 'inspect', image])) || succeeds(['docker', 'manifest', 'inspect', image]),
  );
  return { docker: true, images: (await Promise.all(found)).every((each) => each) };
}

function succeeds([file = '', ...args]: readonly string[]): Promise<boolean> {
  return promisify(execFile)(file, args, { timeout: answerMs, maxBuffer: 16 * 2 ** 20 }).then(
    () => true,
    () => false,
  );
}
