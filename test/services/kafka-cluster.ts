// One or three real Kafka brokers that a test may kill, stop and start, and a controller beside them that stays: so
// what a test sees is the broker's absence, and not an election of controllers. They end with whoever started them.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, startDetached } from '../cluster/processes.ts';
import { until } from '../cluster/until.ts';
import { endsWithUs } from './java.ts';
import { formatNode, nodeCommand, type Properties, untilStarted } from './kafka.ts';
import { freePort } from './ports.ts';

const address = '127.0.0.1';
/** Seen at most under a test's load: 240 MB resident each. */
const heap = ['-Xms128m', '-Xmx256m'];
const controllerId = 100;
const controllerHeap = ['-Xms64m', '-Xmx128m'];
/** A broker in good order hands its partitions over and closes its logs; the slowest took 6 s beside two others. */
const endMs = 30_000;

export interface ClusterOptions {
  /** Folder of the artifact. */
  jars: string;
  /** Of this cluster alone. */
  folder: string;
  /** With three of them everything is there three times, and two must have it. */
  brokers: 1 | 3;
  /** Added to those of every node. */
  properties?: Properties;
  /** What runs before the broker in its own process: `unshare`, for a file system that only the broker sees. */
  prefix?: (id: number, data: string) => readonly string[];
  /** Gives the port that the workers under test are told, for one that the broker listens on. */
  advertise: (id: number, port: number) => Promise<number>;
}

interface Node {
  id: number;
  port: number;
  advertisedPort: number;
  properties: Properties;
  data: string;
  log: string;
  pid: number;
}

export class KafkaCluster {
  readonly #options: ClusterOptions;
  readonly #controller: Node;
  readonly #brokers: readonly Node[];
  readonly #paused = new Set<number>();

  private constructor(options: ClusterOptions, controller: Node, brokers: readonly Node[]) {
    this.#options = options;
    this.#controller = controller;
    this.#brokers = brokers;
  }

  static async start(options: ClusterOptions): Promise<KafkaCluster> {
    const controller = await controllerOf(options);
    const ids = Array.from({ length: options.brokers }, (_, index) => index + 1);
    const brokers = await Promise.all(ids.map((id) => brokerOf(id, controller, options)));
    const cluster = new KafkaCluster(options, controller, brokers);
    const nodes = [controller, ...brokers];
    await Promise.all(nodes.map(({ data, properties }) => formatNode(options.jars, data, properties)));
    await Promise.all(nodes.map((node) => cluster.#start(node)));
    return cluster;
  }

  /** For the test's own clients. */
  get bootstrapServers(): string {
    return this.#brokers.map(({ port }) => `${address}:${port}`).join();
  }

  /** For the workers under test. */
  get advertisedServers(): string {
    return this.#brokers.map(({ advertisedPort }) => `${address}:${advertisedPort}`).join();
  }

  get ids(): number[] {
    return this.#brokers.map(({ id }) => id);
  }

  /** The broker whose port for the test's own clients this is. */
  idOf(port: number): number {
    const node = this.#brokers.find((one) => one.port === port);
    if (node === undefined) throw new Error(`no broker has the port ${port}`);
    return node.id;
  }

  /** Of one broker, for the test's own clients. */
  addressOf(id: number): { host: string; port: number } {
    return { host: address, port: this.#node(id).port };
  }

  isAlive(id: number): boolean {
    return isAlive(this.#node(id).pid);
  }

  /** SIGTERM: in good order; SIGKILL: as when the power fails. Resolves when it is gone. */
  async stop(id: number, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { pid } = this.#node(id);
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    await until(`broker ${id} to end`, endMs, () => (isAlive(pid) ? undefined : true));
  }

  /** Starts a broker that has ended, with the data that it had. */
  async start(id: number): Promise<void> {
    await this.#start(this.#node(id));
  }

  /** It keeps its connections, and answers nothing. */
  pause(id: number): void {
    this.#paused.add(id);
    process.kill(this.#node(id).pid, 'SIGSTOP');
  }

  resume(id: number): void {
    this.#paused.delete(id);
    process.kill(this.#node(id).pid, 'SIGCONT');
  }

  /** One that is neither gone nor paused. */
  answering(): number {
    const found = this.ids.find((id) => isAlive(this.#node(id).pid) && !this.#paused.has(id));
    if (found === undefined) throw new Error('no broker is left to answer');
    return found;
  }

  /** All of them are up again, whatever a test did. */
  async heal(): Promise<void> {
    const gone = this.#brokers.filter(({ pid }) => !isAlive(pid));
    for (const { id, pid } of this.#brokers) if (isAlive(pid)) this.resume(id);
    await Promise.all(gone.map(({ id }) => this.start(id)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#brokers.map(({ id }) => this.stop(id, 'SIGKILL')));
    process.kill(this.#controller.pid, 'SIGKILL');
    await rm(this.#options.folder, { recursive: true, force: true });
  }

  async #start(node: Node): Promise<void> {
    const { jars, folder, prefix } = this.#options;
    const isController = node === this.#controller;
    const command = nodeCommand(node.data, isController ? controllerHeap : heap);
    const before = isController ? [] : (prefix?.(node.id, node.data) ?? []);
    node.pid = startDetached(folder, ['setpriv', ...endsWithUs, ...before, ...command], { log: node.log, cwd: jars });
    await untilStarted(node.log, () => isAlive(node.pid));
  }

  #node(id: number): Node {
    const node = this.#brokers.find((one) => one.id === id);
    if (node === undefined) throw new Error(`no broker ${id}: there are ${this.ids.join(', ')}`);
    return node;
  }
}

const at = (name: string, port: number) => `${name}://${address}:${port}`;

async function controllerOf(options: ClusterOptions): Promise<Node> {
  const port = await freePort(address);
  return nodeOf(controllerId, port, port, options, {
    'process.roles': 'controller',
    'controller.quorum.voters': `${controllerId}@${address}:${port}`,
    listeners: at('CONTROLLER', port),
  });
}

async function brokerOf(id: number, controller: Node, options: ClusterOptions): Promise<Node> {
  const port = await freePort(address);
  const workerPort = await freePort(address);
  const advertisedPort = await options.advertise(id, workerPort);
  return nodeOf(id, port, advertisedPort, options, {
    'process.roles': 'broker',
    'controller.quorum.voters': `${controllerId}@${address}:${controller.port}`,
    listeners: [at('PLAINTEXT', port), at('WORKER', workerPort)].join(),
    'advertised.listeners': [at('PLAINTEXT', port), at('WORKER', advertisedPort)].join(),
  });
}

function nodeOf(id: number, port: number, advertisedPort: number, options: ClusterOptions, own: Properties): Node {
  const { folder, brokers } = options;
  const properties = {
    'node.id': id,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,WORKER:PLAINTEXT',
    ...own,
    ...copies(brokers),
    ...options.properties,
  };
  const [data, log] = [join(folder, `node-${id}`), join(folder, `${id}.log`)];
  return { id, port, advertisedPort, properties, data, log, pid: 0 };
}

function copies(brokers: 1 | 3): Properties {
  const inSync = brokers === 1 ? 1 : 2;
  return {
    'default.replication.factor': brokers,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': brokers,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': brokers,
    'transaction.state.log.min.isr': inSync,
    // One partition: its leader is the coordinator of every transactional id.
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': brokers,
    'share.coordinator.state.topic.min.isr': inSync,
    // Long enough that a busy machine takes no living broker for dead, and short enough for a test.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3000,
    // A follower that hangs leaves the in-sync replicas sooner than a producer gives up.
    'replica.lag.time.max.ms': 4000,
    // A transaction that is given up is looked for each second instead of each ten.
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
  };
}
