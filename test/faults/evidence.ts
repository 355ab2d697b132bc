// What is kept of a moment at which something was wrong: everything that one would ask the cluster for.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namespace } from '../e2e/operator.ts';
import { outcomeOf } from '../e2e/process.ts';
import type { System } from './system.ts';

/** A kubectl that finds no API server must not hold up the end of the run. */
const askMsMax = 30_000;
/** Of each worker: some minutes of what it says. */
const logLines = 2000;

/** @returns the folder */
export async function saveEvidence(system: System, name: string, why: string): Promise<string> {
  const { bed, store, simulator } = system;
  const folder = join(store.folders.state, 'log', 'faults', name);
  await mkdir(folder, { recursive: true });
  const kubectl = async (...args: string[]) => {
    const options = { env: { KUBECONFIG: bed.kubeconfig }, timeoutMs: askMsMax };
    const { stdout, stderr } = await outcomeOf(bed.kubectl, ['-n', namespace, ...args], options);
    return stdout + stderr;
  };
  const logs = ['logs', '--prefix', '--timestamps', '--all-containers', '--max-log-requests=100', '-l'];
  const ofWorkers = [...logs, 'app.kubernetes.io/component=worker', `--tail=${logLines}`];
  const asked: Record<string, () => Promise<string>> = {
    'get.txt': () => kubectl('get', 'exchangefeeds,deployments,pods', '-o', 'wide'),
    'feeds.yaml': () => kubectl('get', 'exchangefeeds', '-o', 'yaml'),
    'describe.txt': () => kubectl('describe', 'exchangefeeds,deployments,pods'),
    'events.txt': () => kubectl('get', 'events', '--sort-by=.lastTimestamp'),
    'workers.log': () => kubectl(...ofWorkers),
    'workers-before.log': () => kubectl(...ofWorkers, '--previous'),
    'controller.log': () => kubectl(...logs, 'app.kubernetes.io/component=controller', `--tail=${logLines}`),
    'simulator.json': async () => JSON.stringify(await simulator.state(), null, 2),
  };
  await writeFile(join(folder, 'why.txt'), `${why}\n`);
  for (const [file, ask] of Object.entries(asked)) {
    await writeFile(join(folder, file), await ask().catch(String));
  }
  return folder;
}
