// Which of two ways the kind cluster is made, decided by what this machine reaches.
import { run } from '../command.ts';

/** `official`: kind's own node image and Redpanda, pulled. `own`: a Docker daemon and a node image made here. */
export type Way = 'official' | 'own';

export interface Reach {
  /** A Docker daemon answers. */
  docker: boolean;
  /** The images are there, or their registry tells of them. */
  images: boolean;
}

export function chooseWay(reach: Reach): { way: Way; why: string } {
  if (!reach.docker) return { way: 'own', why: 'no Docker daemon answers' };
  if (!reach.images) return { way: 'own', why: 'a Docker daemon answers, but no container registry' };
  return { way: 'official', why: 'a Docker daemon and a container registry answer' };
}

/** A registry that is far away answers within a few seconds; one behind a firewall may never. */
const answerSeconds = '20';

/** @param images names as `docker pull` takes them */
export async function lookAround(images: readonly string[]): Promise<Reach> {
  if (!(await works('version'))) return { docker: false, images: false };
  const found = images.map(
    async (image) => (await works('image', 'inspect', image)) || works('manifest', 'inspect', image),
  );
  return { docker: true, images: (await Promise.all(found)).every((each) => each) };
}

function works(...words: string[]): Promise<boolean> {
  return run(['timeout', answerSeconds, 'docker', ...words]).then(
    () => true,
    () => false,
  );
}
