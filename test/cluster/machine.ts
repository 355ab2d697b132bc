// What this machine can carry.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Machine } from './cluster.ts';
import { run } from './command.ts';

export async function inspectMachine(): Promise<Machine> {
  const works = (...words: string[]) =>
    run(words).then(
      () => true,
      () => false,
    );
  const [namespaces, docker] = await Promise.all([
    works('unshare', '--net', '--pid', '--mount', '--fork', 'true'),
    works('docker', 'info'),
  ]);
  const linux = process.platform === 'linux';
  return { linux, root: process.getuid?.() === 0, namespaces, docker, kind: isOnPath('kind') };
}

export function isOnPath(program: string, path = process.env.PATH ?? ''): boolean {
  return path.split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)));
}
