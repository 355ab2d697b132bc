// The README's installation, run as it stands there, but for the addresses and images that only exist elsewhere.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bed } from './bed.ts';
import { imageValues, toFlags } from './operator.ts';
import { run } from './process.ts';

const root = join(import.meta.dirname, '../..');

/** The first shell block below a heading. @throws Error when there is none */
export function shellBlock(page: string, heading: string): string {
  const [, rest] = page.split(`\n## ${heading}\n`);
  const block = /```sh\n(.*?)```/s.exec(rest ?? '')?.[1];
  if (block === undefined) throw new Error(`no shell block below "## ${heading}"`);
  return block;
}

/** Puts one text for another. @throws Error when it is not there: the page and this file have parted */
function substitute(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the README's commands do not name ${from}`);
  return text.replace(from, to);
}

/** Runs the block below "Install it in your cluster". @throws Error with the words of the command that failed */
export async function installAsTheReadmeSays(bed: Bed): Promise<void> {
  let script = shellBlock(readFileSync(join(root, 'README.md'), 'utf8'), 'Install it in your cluster');
  script = substitute(script, 'redpanda.redpanda.svc:9093', bed.bootstrapServers);
  script = substitute(script, 'http://redpanda.redpanda.svc:8081', bed.schemaRegistryUrl);
  // The published images and the real exchange are out of a test's reach.
  script = substitute(
    script,
    '--namespace k2-feeds \\\n',
    `--namespace k2-feeds ${toFlags(imageValues).join(' ')} \\\n`,
  );
  script = substitute(script, 'examples/binance.yaml', 'examples/binance-simulated.yaml');
  const path = [dirname(bed.kubectl), dirname(bed.helm), process.env.PATH].join(':');
  await run('bash', ['-euxc', `cd ${root}\n${script}`], {
    env: { KUBECONFIG: bed.kubeconfig, PATH: path },
    timeoutMs: 180_000,
  });
}
