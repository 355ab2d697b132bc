// A real schema registry with Confluent's API: Apicurio Registry, in memory. Its code is unmodified, the packaging is
// ours (registry/pom.xml says why). Known differences from Confluent's: the 409 body has error_code 0; no GET /mode.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifact } from '../cluster/artifact.ts';
import { run } from '../cluster/command.ts';
import { isAlive, startDetached } from '../cluster/processes.ts';
import type { Step } from '../cluster/step.ts';
import { Hopeless, until } from '../cluster/until.ts';
import { endsWithUs, javaVersion, recordClasses, smallJvm, useClasses } from './java.ts';
import { freePort } from './ports.ts';

const source = join(import.meta.dirname, 'registry');
const app = 'io.apicurio:apicurio-registry-app:2.4.2.Final';
const jar = 'registry.jar';
/** One to two seconds alone. */
const startMs = 60_000;
const jvmArguments = [
  '-Xmx192m',
  ...smallJvm,
  // The in-memory database needs no pool of twenty connections.
  '-Dquarkus.datasource.jdbc.min-size=1',
  '-Dquarkus.datasource.jdbc.initial-size=1',
  '-Dquarkus.datasource.jdbc.max-size=8',
  '-Dquarkus.oidc.tenant-enabled=false',
];

export async function registry(): Promise<Artifact> {
  return {
    name: 'registry',
    title: 'Apicurio Registry 2.4.2 (packaged by Maven, and its class archive)',
    whatNext: 'a JDK (17 or newer) and Maven must be on PATH, and Maven must reach a mirror of the central repository.',
    files: [source],
    values: { java: await javaVersion(), flags: smallJvm.join(' '), app },
    async build(folder, step) {
      const work = join(folder, 'build');
      await cp(source, work, { recursive: true });
      await packageApp(work, step);
      await copyFile(join(work, 'target', 'registry-1-runner.jar'), join(folder, jar));
      await rm(work, { recursive: true });
      step.note('running it once, to record the classes it loads');
      await recordClassArchive(folder);
    },
  };
}

export interface Registry {
  url: string;
  pid: number;
}

/**
 * Starts an empty registry; it outlives this process.
 * @param folder of the artifact
 * @param state the bed's
 * @param prefix what runs before it in its own process
 */
export async function startRegistry(
  folder: string,
  state: string,
  address: string,
  port: number,
  prefix: readonly string[] = [],
): Promise<Registry> {
  const log = join(state, 'log', 'registry.log');
  const command = [...prefix, 'java', ...jvmArguments, ...useClasses, '-jar', jar];
  const pid = startDetached(state, command, { log, cwd: folder, env: listenOn(address, port) });
  const url = confluentApi(address, port);
  await untilReady(url, () => isAlive(pid), `see ${log}`);
  // Confluent's default; Apicurio's own is NONE.
  const body = JSON.stringify({ compatibility: 'BACKWARD' });
  const answer = await fetch(`${url}/config`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body });
  if (!answer.ok)
    throw new Error(`the registry refused BACKWARD as its default: ${answer.status} ${await answer.text()}`);
  return { url, pid };
}

/** Quarkus reads the settings of the application from its own jar: they are taken over, and three are added. */
async function packageApp(work: string, step: Step): Promise<void> {
  const maven = ['mvn', '--batch-mode', '--no-transfer-progress'];
  const copy = ['dependency:copy', `-Dartifact=${app}:jar`, '-DoutputDirectory=app', '-Dmdep.stripVersion=true'];
  await step.run([...maven, ...copy], { cwd: work });
  await step.run(['jar', 'xf', 'app/apicurio-registry-app.jar', 'application.properties'], { cwd: work });
  const settings = (await run(['cat', 'application.properties'], { cwd: work }))
    .split('\n')
    .filter((line) => !line.includes('quarkus.package.type'));
  const added = [
    'quarkus.package.type=uber-jar',
    'quarkus.index-dependency.app.group-id=io.apicurio',
    'quarkus.index-dependency.app.artifact-id=apicurio-registry-app',
    '',
  ];
  const resources = join(work, 'src', 'main', 'resources');
  await mkdir(resources, { recursive: true });
  await writeFile(join(resources, 'application.properties'), [...settings, ...added].join('\n'));
  await step.run([...maven, 'package', '-DskipTests'], { cwd: work });
}

async function recordClassArchive(folder: string): Promise<void> {
  const port = await freePort('127.0.0.1');
  const env = { ...process.env, ...listenOn('127.0.0.1', port) };
  const command = [...jvmArguments, ...recordClasses, '-jar', jar];
  const child = spawn('setpriv', [...endsWithUs, 'java', ...command], { cwd: folder, env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  await untilReady(confluentApi('127.0.0.1', port), () => child.exitCode === null, 'run without a log');
  child.kill('SIGTERM');
  await ended;
}

async function untilReady(url: string, alive: () => boolean, where: string): Promise<void> {
  await until(`the registry to answer, ${where}`, startMs, async () => {
    if (!alive()) throw new Hopeless(`the registry ended while it started, ${where}`);
    return (await fetch(`${url}/subjects`)).ok ? true : undefined;
  });
}

function confluentApi(address: string, port: number): string {
  return `http://${address}:${port}/apis/ccompat/v7`;
}

function listenOn(address: string, port: number): Record<string, string> {
  return { HTTP_PORT: String(port), QUARKUS_HTTP_HOST: address };
}
