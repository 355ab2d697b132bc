// `make test`: every suite, each on the real parts it needs, brought up and taken away around it. What this machine
// cannot carry is skipped, said at once and again at the end, and never counted as passed.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provide } from './cluster/artifact.ts';
import { helm, kube } from './cluster/artifacts.ts';
import * as bed from './cluster/bed.ts';
import { type Cluster, chooseCluster } from './cluster/cluster.ts';
import { inspectMachine, isOnPath } from './cluster/machine.ts';
import type { BedRecord } from './cluster/record.ts';
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

const store = bedStore(console.log);
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
    for (const { status, fullName, meta, failureMessages } of assertionResults)
      if (status === 'pending' || status === 'skipped')
        skips.push({ what: `${project}: ${fullName}`, why: meta?.reason ?? 'see its own line above' });
      else if (status === 'failed')
        failures.push(`${project}: ${fullName}: ${(failureMessages[0] ?? '').split('\n')[0]}`);
}

function skip(what: string, why: string): void {
  console.log(`\n== SKIPPED: ${what}: ${why}`);
  skips.push({ what, why });
}

/** Runs suites on real parts, and takes the parts away whatever happened. */
async function on(title: string, suites: () => Promise<void>): Promise<void> {
  console.log(`\n== on a ${title}`);
  try {
    await suites();
  } catch (error) {
    if (!(error instanceof StepFailed)) console.error(error);
    failures.push(`${title}: ${error instanceof Error ? error.message : error}`);
  }
  const left = await bed.down(store);
  if (left.length > 0) failures.push(`${title}: down left ${left.join(', ')}`);
}

const brokerEnv = ({ services }: BedRecord) => ({
  K2_TEST_BOOTSTRAP_SERVERS: services.bootstrapServers,
  K2_TEST_SCHEMA_REGISTRY_URL: services.schemaRegistryUrl,
});

/** Why Kafka cannot run here; null where it can. */
function withoutKafka(): string | null {
  const missing = ['javac', 'mvn'].filter((program) => !isOnPath(program));
  return missing.length > 0 ? `${missing.join(' and ')} not on PATH: a JDK and Maven run Kafka` : null;
}

/** It breaks its brokers, so it brings its own, and needs no bed. */
async function brokerFaults(): Promise<void> {
  const why = withoutKafka() ?? (isOnPath('setpriv') ? null : 'setpriv not on PATH: it ends brokers with their test');
  await (why === null ? suite('broker-faults') : skip('suite broker-faults', why));
}

/** It starts API servers of its own, as plain processes, and needs no bed. */
async function apiSuite(helmEnv: Record<string, string>): Promise<void> {
  const missing = ['go', 'openssl', 'setpriv'].filter((program) => !isOnPath(program));
  if (missing.length > 0)
    return skip('suite api', `${missing.join(', ')} not on PATH: they make and run an API server`);
  await provide(store, await kube());
  await suite('api', helmEnv);
}

/** Broker and registry need a JVM only, so they are tested where no cluster can be. */
async function brokerSuite(why: string): Promise<void> {
  skip('suites e2e and kind', why);
  const missing = withoutKafka();
  if (missing !== null) return skip('suite broker', missing);
  await on('broker and registry', async () => suite('broker', brokerEnv(await bed.services(store))));
}

async function clusterSuites(cluster: Cluster['name']): Promise<void> {
  const up = (name: Cluster['name']) => bed.up(store, { ...process.env, K2_CLUSTER: name });
  await on(`${cluster} cluster`, async () => {
    const record = await up(cluster);
    await suite('broker', brokerEnv(record));
    // First of all on a kind cluster: it installs the chart as a new user would.
    if (cluster === 'kind') await suite('kind');
    await step(store.reporter, 'Operator: helm install', 'see what helm says', async () =>
      installOperator(await openBed()),
    );
    await suite('e2e');
  });
  if (cluster !== 'kind')
    await on('kind cluster', async () => {
      await up('kind');
      await suite('kind');
    });
}

function summarize(): number {
  const seconds = performance.now() / 1000;
  if (skips.length > 0)
    console.log(`\nSKIPPED, so nothing is known of:\n${lines(skips.map(({ what, why }) => `${what}: ${why}`))}`);
  if (failures.length > 0) console.log(`\nFAILED:\n${lines(failures)}`);
  console.log(`\nmake test took ${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  return failures.length === 0 ? 0 : 1;
}

const lines = (texts: string[]) => texts.map((text) => `  ${text}`).join('\n');

await command('format and lint', ['biome', 'check', '--error-on-warnings', '.']);
await command('types', ['tsc', '--noEmit']);
const hasGo = isOnPath('go');
if (!hasGo) skip('chart tests that need helm', 'Go is not on PATH, and helm is built with it');
const helmEnv: Record<string, string> = hasGo ? { K2_TEST_HELM: join(await provide(store, await helm()), 'helm') } : {};
await suite('unit', helmEnv);
await suite('slow');
await apiSuite(helmEnv);
await brokerFaults();
const choice = chooseCluster(process.env.K2_CLUSTER, await inspectMachine());
if (!hasGo) await brokerSuite('Go 1.26 or newer is not on PATH: Kubernetes is built with it');
else if (choice.cluster === null) await brokerSuite(choice.why);
else await clusterSuites(choice.cluster);
process.exitCode = summarize();
