// A few converged feeds and two controllers, of which one leads: what the faults happen to. It counts what must not
// happen meanwhile: a worker replaced, a Deployment deleted, a topic or a subject that nobody asked for.
import { setTimeout } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { until } from '../cluster/until.ts';
import { type Audited, audit } from './audit.ts';
import type { Controller } from './controller.ts';
import { Feeds, feedAt } from './feeds.ts';
import { Link } from './link.ts';
import { namespace, type World } from './world.ts';

type Manifest = ReturnType<typeof feedAt>;

const baseFeeds = 20;
const limitMs = 300_000;
/** As a kubelet waits before it starts a container again, at first. */
const restartMs = 1_000;
const leadingMetric = 'leader_election_master_status';

interface Leases {
  items: { spec: { leaseTransitions?: number } }[];
}

export interface Replica {
  controller: Controller;
  /** To the API server. */
  link: Link;
  /** How often it ended by itself, and was started again. */
  restarts: number;
}

/** What there is outside, by name; and how many workers were ever started. */
interface Inventory {
  topics: string[];
  subjects: string[];
  workersStarted: number;
  auditEnd: number;
  /** How often the lease has gone to another process. */
  leaseTransitions: number;
}

export class Scene {
  readonly world: World;
  readonly feeds: Feeds;
  readonly replicas: readonly Replica[];
  readonly #stop = new AbortController();
  readonly #kept: Promise<unknown>;
  /** Feeds that there should be; those made since the last look, and workers asked for beside theirs. */
  readonly #wanted = new Map<string, Manifest>();
  #index = 0;
  #made: Manifest[] = [];
  #removed = 0;
  #moreWorkers = 0;
  #before: Inventory | null = null;

  private constructor(world: World, feeds: Feeds, replicas: Replica[]) {
    this.world = world;
    this.feeds = feeds;
    this.replicas = replicas;
    this.#kept = Promise.all(replicas.map((replica) => this.#keep(replica)));
  }

  static async start(world: World): Promise<Scene> {
    const replicas: Replica[] = [];
    for (const name of ['controller-a', 'controller-b']) {
      const link = await Link.to(Number(new URL(world.plane.server).port));
      const controller = await world.controller(name, `https://127.0.0.1:${link.port}`);
      await controller.start();
      replicas.push({ controller, link, restarts: 0 });
    }
    const scene = new Scene(world, await Feeds.start(world.plane), replicas);
    for (let count = 0; count < baseFeeds; count++) await scene.make();
    await scene.untilReady();
    return scene;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#kept;
    for (const { controller } of this.replicas) await controller.stop('SIGKILL');
    await this.feeds.close();
  }

  /** A feed with topics of its own, which does not have to become Ready at once. */
  async make(): Promise<Manifest> {
    const manifest = feedAt(this.#index++);
    await this.feeds.create([manifest]);
    this.#wanted.set(manifest.metadata.name, manifest);
    this.#made.push(manifest);
    return manifest;
  }

  async remove(manifest: Manifest): Promise<void> {
    await this.feeds.delete([manifest]);
    this.#wanted.delete(manifest.metadata.name);
    this.#removed++;
  }

  /** Any that has been there from the start. */
  get oldest(): Manifest {
    const [manifest] = this.#wanted.values();
    if (manifest === undefined) throw new Error('there is no feed');
    return manifest;
  }

  /** The fault itself makes workers start, beside those of new feeds. */
  expectWorkers(count: number): void {
    this.#moreWorkers += count;
  }

  /** Every feed there should be is Ready, and no other is there. @returns seconds until it was so */
  async untilReady(): Promise<number> {
    const startMs = performance.now();
    await until(`${this.#wanted.size} feeds to be Ready`, limitMs, () =>
      this.feeds.ready === this.#wanted.size && this.feeds.count === this.#wanted.size ? true : undefined,
    );
    return (performance.now() - startMs) / 1000;
  }

  async leader(): Promise<Replica> {
    return until('a controller that leads', limitMs, async () => {
      for (const replica of this.replicas) if (await leads(replica)) return replica;
      return undefined;
    });
  }

  async standby(): Promise<Replica> {
    const leader = await this.leader();
    const other = this.replicas.find((replica) => replica !== leader);
    if (other === undefined) throw new Error('there is one controller only');
    return other;
  }

  /** From here on what happens is judged. */
  async look(): Promise<void> {
    this.#before = await this.#inventory();
    this.#made = [];
    this.#removed = 0;
    this.#moreWorkers = 0;
  }

  /** What happened since `look` and should not have, one line each. */
  async wrongs(): Promise<string[]> {
    const before = this.#before;
    if (before === null) throw new Error('look first');
    const after = await this.#inventory();
    const { writes } = await audit(this.world.plane, this.world.user, before.auditEnd);
    const topics = this.#made.flatMap(({ spec: { topics } }) => [
      ...[topics.raw.name, topics.normalized.name, `${topics.raw.name}.dlq`],
    ]);
    const subjects = this.#made.flatMap(({ spec: { topics } }) => [topics.raw.name, topics.normalized.name]);
    const workers = after.workersStarted - before.workersStarted;
    const workersWanted = this.#made.length + this.#moreWorkers;
    return [
      ...difference('topic', [...before.topics, ...topics], after.topics),
      ...difference('subject', [...before.subjects, ...subjects.map((topic) => `${topic}-value`)], after.subjects),
      ...(workers === workersWanted ? [] : [`${workers} workers were started, and ${workersWanted} were wanted`]),
      ...excess(writes, 'delete deployments.apps', this.#removed),
      ...excess(writes, 'delete poddisruptionbudgets.policy', 0),
      ...(await this.#overlaps(before.auditEnd, after.leaseTransitions - before.leaseTransitions)),
    ];
  }

  async #inventory(): Promise<Inventory> {
    const { kafka, registry, kubelet, plane } = this.world;
    const client = new kafkajs.Kafka({ brokers: [kafka.bootstrapServers], logLevel: kafkajs.logLevel.NOTHING });
    const admin = client.admin();
    await admin.connect();
    const topics = await admin.listTopics();
    await admin.disconnect();
    const subjects = (await (await fetch(`${registry.ownUrl}/subjects`)).json()) as string[];
    const leases = JSON.parse(await plane.kubectl('-n', namespace, 'get', 'leases', '-o', 'json')) as Leases;
    return {
      ...{ topics, subjects, workersStarted: kubelet.started, auditEnd: await plane.auditEnd() },
      leaseTransitions: leases.items.reduce((sum, { spec }) => sum + (spec.leaseTransitions ?? 0), 0),
    };
  }

  /** Writes go from one controller to the other no more often than the lease does. */
  async #overlaps(from: number, transitions: number): Promise<string[]> {
    const writers: string[] = [];
    for await (const event of this.world.plane.audited(from)) {
      const { verb, user, objectRef, responseStatus } = event;
      const isWrite = !['get', 'list', 'watch'].includes(verb) && objectRef?.resource !== 'leases';
      const isDone = (responseStatus?.code ?? 0) < 300;
      // Each has a token of its own.
      const [token = ''] = user.extra?.['authentication.kubernetes.io/credential-id'] ?? [];
      if (user.username === this.world.user && isWrite && isDone && writers.at(-1) !== token) writers.push(token);
    }
    const turns = Math.max(0, writers.length - 1);
    return turns <= transitions ? [] : [`writes changed hands ${turns} times, and the lease ${transitions} times`];
  }

  /** Starts it again when it ended by itself, as a kubelet does. */
  async #keep(replica: Replica): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await setTimeout(restartMs);
      if (signal.aborted || replica.controller.isAlive) continue;
      replica.restarts++;
      await replica.controller.start().catch((error) => console.log(String(error)));
    }
  }
}

const leads = ({ controller }: Replica): Promise<boolean> =>
  controller.metric(leadingMetric).then(
    (value) => value === 1,
    () => false,
  );

function difference(what: string, wanted: string[], found: string[]): string[] {
  const missing = wanted.filter((name) => !found.includes(name)).map((name) => `${what} ${name} is missing`);
  const surplus = found.filter((name) => !wanted.includes(name)).map((name) => `${what} ${name} is there`);
  return [...missing, ...surplus];
}

function excess(writes: Audited['writes'], use: string, wanted: number): string[] {
  const count = writes.get(use) ?? 0;
  return count <= wanted ? [] : [`${count} x ${use}, and ${wanted} were wanted`];
}
