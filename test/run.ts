// `make test`: every suite, each on the real parts it needs, brought up and taken away around it. What this machine
// cannot carry is skipped, said at once and again at the end, and never counted as passed.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from './cluster/artifact.ts';
import { provide } from './cluster/artifact.ts';
import { helm } from './cluster/artifacts.ts';
import * as bed from './cluster/bed.ts';
import { type Choice, chooseCluster } from './cluster/cluster.ts';
import { inspectMachine, isOnPath } from './cluster/machine.ts';
import { StepFailed, step } from './cluster/step.ts';
import { bedStore, openBed } from './e2e/bed.ts';
import { installOperator } from './e2e/operator.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Why a suite, or a test of it, did not run. */
interface Skip {
  what: string;
  why: string;
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const skips: Skip[] = [];
const failures: string[] = [];

async function command(title: string, words: string[], env: Record<string, string> = {}): Promise<boolean> {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const child = spawn(words[0] ?? '', words.slice(1), {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  console.log(`== ${title}: ${code === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  if (code !== 0) failures.push(title);
  return code === 0;
}

/** Runs one vitest project and adds its counts. A suite in which no test ran has failed. */
async function suite(project: string, env: Record<string, string> = {}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'k2-test-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  await command(`suite ${project}`, ['vitest', 'run', '--project', project, ...reporters], env);
  const text = await readFile(report, 'utf8').catch(() => '{}');
  await rm(folder, { recursive: true });
  const counted = JSON.parse(text);
  total.passed += counted.numPassedTests ?? 0;
  total.failed += counted.numFailedTests ?? 0;
  total.skipped += counted.numPendingTests ?? 0;
  if (!counted.numPassedTests) failures.push(`suite ${project}: no test passed`);
  for (const { assertionResults } of counted.testResults ?? [])
    for (const { status, fullName, meta } of assertionResults)
      if (status === 'pending' || status === 'skipped')
        skips.push({ what: `${project}: ${fullName}`, why: meta?.reason ?? 'see its own line above' });
}

function skip(what: string, why: string): void {
  console.log(`\n== SKIPPED: ${what}: ${why}`);
  skips.push({ what, why });
}

/** Brings real parts up, runs suites on them, and takes the parts away whatever happened. */
async function on(store: Store, title: string, bringUp: () => Promise<unknown>, suites: () => Promise<void>) {
  console.log(`\n== bring up: ${title}`);
  try {
    await bringUp();
    await suites();
  } catch (error) {
    if (!(error instanceof StepFailed)) console.error(error);
    failures.push(`${title}: ${error instanceof Error ? error.message : error}`);
  }
  const left = await bed.down(store);
  if (left.length > 0) failures.push(`${title}: down left ${left.join(', ')}`);
}

async function clusterSuites(store: Store, choice: Choice): Promise<void> {
  if (choice.cluster === null) return skip('suites broker, e2e and kind', choice.why);
  await on(
    store,
    `${choice.cluster} cluster`,
    () => bed.up(store, { ...process.env, K2_CLUSTER: choice.cluster ?? '' }),
    async () => {
      const opened = await openBed();
      await suite('broker', {
        K2_TEST_BOOTSTRAP_SERVERS: opened.bootstrapServers,
        K2_TEST_SCHEMA_REGISTRY_URL: opened.schemaRegistryUrl,
      });
      await step(store.reporter, 'Operator: helm install', 'see the words of helm', () => installOperator(opened));
      await suite('e2e');
      if (choice.cluster === 'kind') await suite('kind');
    },
  );
  if (choice.cluster === 'local')
    await on(
      store,
      'kind cluster',
      () => bed.up(store, { ...process.env, K2_CLUSTER: 'kind' }),
      () => suite('kind'),
    );
}

function summarize(): number {
  const seconds = performance.now() / 1000;
  if (skips.length > 0)
    console.log(`\nSKIPPED, so nothing was shown of:\n${lines(skips.map(({ what, why }) => `${what}: ${why}`))}`);
  if (failures.length > 0) console.log(`\nFAILED:\n${lines(failures)}`);
  console.log(`\nmake test took ${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return failures.length === 0 ? 0 : 1;
}

const lines = (texts: string[]) => texts.map((text) => `  ${text}`).join('\n');

const store = bedStore(console.log);
const hasGo = isOnPath('go');
await command('format and lint', ['biome', 'check', '--error-on-warnings', '.']);
await command('types', ['tsc', '--noEmit']);
if (!hasGo) skip('chart tests that need helm', 'Go is not on PATH, and helm is built with it');
await suite('unit', hasGo ? { K2_TEST_HELM: join(await provide(store, await helm()), 'helm') } : {});
const machine = await inspectMachine();
await clusterSuites(
  store,
  hasGo
    ? chooseCluster(process.env.K2_CLUSTER, machine)
    : { cluster: null, why: 'Go 1.26 or newer is not on PATH: Kubernetes is built with it' },
);
process.exitCode = summarize();
