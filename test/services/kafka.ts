// A real Kafka broker (KRaft, one node) from its published jars.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifact } from '../cluster/artifact.ts';
import { run } from '../cluster/command.ts';
import { isAlive, startDetached } from '../cluster/processes.ts';
import { Hopeless, until } from '../cluster/until.ts';
import { endsWithUs, javaVersion, recordClasses, smallJvm, useClasses } from './java.ts';
import { freePort } from './ports.ts';

const source = join(import.meta.dirname, 'kafka');
/** One second alone, ten times as long beside a build. */
const startMs = 60_000;
const started = 'Kafka Server started';
/** Characters of the log's end that an error shows. */
const shown = 2_000;
/** Any 16 bytes; the same each time, so that a client's log can be compared with the last run's. */
const clusterId = 'AAAAAAAAQACAAAAAAAAAAA';
const jvm = [...smallJvm, '-Dlog4j2.configurationFile=log4j2.properties'];
/** Seen at most, after 200,000 messages: 300 MB resident. */
const heap = ['-Xms384m', '-Xmx384m'];

export async function kafka(): Promise<Artifact> {
  return {
    name: 'kafka',
    title: 'Kafka 4.4.0 (jars by Maven, and its class archive)',
    whatNext: 'a JDK (17 or newer) and Maven must be on PATH, and Maven must reach a mirror of the central repository.',
    files: [source],
    values: { java: await javaVersion(), flags: smallJvm.join(' ') },
    async build(folder, step) {
      await copyFile(join(source, 'log4j2.properties'), join(folder, 'log4j2.properties'));
      const maven = ['mvn', '--batch-mode', '--no-transfer-progress', '-f', join(source, 'pom.xml')];
      const libs = `-DoutputDirectory=${join(folder, 'libs')}`;
      await step.run([...maven, 'dependency:copy-dependencies', libs, '-DincludeScope=runtime']);
      step.note('running it once, to record the classes it loads');
      await recordClassArchive(folder);
    },
  };
}

/** https://kafka.apache.org/documentation/#brokerconfigs */
export type Properties = Record<string, string | number>;

/** What every node has, of one or of several. */
const everyNode: Properties = {
  'process.roles': 'broker,controller',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  // A topic that nobody made is a mistake that must show.
  'auto.create.topics.enable': 'false',
  'share.coordinator.state.topic.num.partitions': 1,
  // Do not wait for more members when a consumer joins a group.
  'group.initial.rebalance.delay.ms': 0,
  // Retention is looked at often enough for a test to see it.
  'log.retention.check.interval.ms': 5000,
  // A small machine's share of memory and threads.
  'log.cleaner.dedupe.buffer.size': 4_194_304,
  'log.cleaner.threads': 1,
  'num.network.threads': 2,
  'num.io.threads': 4,
  'background.threads': 2,
  'num.recovery.threads.per.data.dir': 1,
};

export interface Broker {
  bootstrapServers: string;
  pid: number;
}

/**
 * Starts a broker with empty topics; it outlives this process.
 * @param jars folder of the artifact
 * @param state the bed's state folder
 */
export async function startKafka(jars: string, state: string, address: string, port: number): Promise<Broker> {
  const data = join(state, 'kafka');
  const log = join(state, 'log', 'kafka.log');
  await formatNode(jars, data, await singleNode(address, port));
  const pid = startDetached(state, nodeCommand(data, heap), { log, cwd: jars });
  await untilStarted(log, () => isAlive(pid));
  return { bootstrapServers: `${address}:${port}`, pid };
}

/** Makes the folder of a node that is broker and controller; it knows no topics. */
export async function formatNode(jars: string, data: string, properties: Properties): Promise<void> {
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true });
  const file = join(data, 'server.properties');
  const lines = Object.entries({ ...everyNode, 'log.dirs': join(data, 'topics'), ...properties });
  await writeFile(file, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
  const tool = ['java', '-Xmx128m', ...jvm, '-cp', 'libs/*', 'kafka.tools.StorageTool'];
  await run([...tool, 'format', '-t', clusterId, '-c', file], { cwd: jars });
}

/** To be run in the folder of the artifact. @param data as formatted @param heapSize arguments of the JVM */
export function nodeCommand(data: string, heapSize: readonly string[]): string[] {
  const properties = join(data, 'server.properties');
  return ['java', ...heapSize, ...jvm, ...useClasses, '-cp', 'libs/*', 'kafka.Kafka', properties];
}

/** @param log what the node has said since it was started */
export async function untilStarted(log: string, alive: () => boolean): Promise<void> {
  await until(`Kafka to start, see ${log}`, startMs, async () => {
    if ((await readFile(log, 'utf8')).includes(started)) return true;
    if (!alive()) throw new Hopeless(`Kafka ended while it started: ${(await readFile(log, 'utf8')).slice(-shown)}`);
    return undefined;
  });
}

async function recordClassArchive(folder: string): Promise<void> {
  const data = join(folder, 'once');
  await formatNode(folder, data, await singleNode('127.0.0.1', await freePort('127.0.0.1')));
  const properties = join(data, 'server.properties');
  const command = [...heap, ...jvm, ...recordClasses, '-cp', 'libs/*', 'kafka.Kafka', properties];
  const child = spawn('setpriv', [...endsWithUs, 'java', ...command], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const ended = once(child, 'exit');
  await until('Kafka to start', startMs, () => (log.includes(started) ? true : undefined));
  child.kill('SIGTERM');
  await ended;
  await rm(data, { recursive: true });
}

async function singleNode(address: string, port: number): Promise<Properties> {
  const controllerPort = await freePort(address);
  return {
    'node.id': 1,
    'controller.quorum.voters': `1@${address}:${controllerPort}`,
    listeners: `PLAINTEXT://${address}:${port},CONTROLLER://${address}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${address}:${port}`,
    // One broker: one copy of everything.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // After SIGKILL it is back in 4 s instead of 11: the dead broker's session ends sooner.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 1500,
    'controller.quorum.election.timeout.ms': 500,
    'controller.quorum.fetch.timeout.ms': 1000,
  };
}
