// A small world for reconcile: API server, broker, registry and workers as values that a test can look at and break.
// The real ones are behind the same interfaces in targets/*.broker.test.ts and in the end-to-end tests.
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import type { ExchangeFeed, ExchangeFeedStatus } from '../../api/exchange-feed.ts';
import type { Role } from '../../api/worker-status.ts';
import { openAccess } from '../../controller/access.ts';
import { createClaims } from '../../controller/conflicts.ts';
import { TargetError } from '../../controller/errors.ts';
import type { Memory } from '../../controller/memory.ts';
import { createControllerMetrics } from '../../controller/metrics.ts';
import type { ObservedTopic } from '../../controller/plan.ts';
import { type Parts, reconcile } from '../../controller/reconcile.ts';
import { spread } from '../../controller/shards.ts';
import {
  type Deployment,
  isEnding,
  type Pod,
  type PodDisruptionBudget,
  shardLabel,
  shardOf,
  type Workload,
} from '../../controller/workload.ts';
import { createLogger } from '../../runtime/log.ts';
import { config, key, proven, sampleFeed, schemas } from './sample-feed.ts';

export class World {
  feed: ExchangeFeed | null = sampleFeed();
  /** Feeds beside it. */
  others: ExchangeFeed[] = [];
  /** Of the others, by key. */
  workloads = new Map<string, { workload: Workload; pods: Pod[] }>();
  deployments: Deployment[] = [];
  budgets: PodDisruptionBudget[] = [];
  pods: Pod[] = [];
  topics = new Map<string, ObservedTopic>();
  subjects = new Map<string, number>();
  /** Names of topics and subjects that this operator made. */
  made = new Set<string>();
  isBrokerAway = false;
  isRegistryAway = false;
  isSchemaRefused = false;
  isQuotaExceeded = false;
  /** Why the Secrets of the feed give nothing. */
  secretProblem: TargetError | null = null;
  /** Another one: a Secret was rotated. */
  secretHash = '';
  isDeletionForbidden = false;
  tradesPerSecond = 100;
  /** What the worker says of each symbol's trade ids. */
  continuity = proven;
  /** What the workers of a shard say they are, and what they wait for; absent: owner. */
  roles = new Map<number, Role>();
  /** What was written or asked outside, in order, since the last look. */
  deeds: string[] = [];
  /** `<type> <reason>` of the events told, in order. */
  events: string[] = [];
  nowMs = 1_000_000;
  readonly #memory: Memory = new Map();

  get status(): ExchangeFeedStatus {
    return this.feed?.status ?? {};
  }

  get reason(): string | undefined {
    return this.status.conditions?.find(({ type }) => type === 'Ready')?.reason;
  }

  /** Milliseconds until the next look; null: none. */
  async reconcile(): Promise<number | null> {
    const outcome = await reconcile(key, this.#parts());
    return outcome === 'done' ? null : outcome.requeueAfterMs;
  }

  takeDeeds(): string[] {
    return this.deeds.splice(0);
  }

  /** What controller manager, scheduler and kubelet do; to some shards, or all. */
  startWorkers(...shards: number[]): void {
    for (const deployment of this.deployments) {
      const shard = shardOf(deployment);
      if (shards.length > 0 && !shards.includes(shard)) continue;
      const { replicas } = deployment.spec;
      const counts = { updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
      deployment.status = { observedGeneration: deployment.metadata.generation ?? 0, replicas, ...counts };
      const name = `${deployment.metadata.name}-x`;
      const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { [shardLabel]: String(shard) } } };
      this.pods = [...this.pods.filter(({ metadata }) => metadata.name !== name), pod];
    }
  }

  /** What the garbage collector does with what is on its way out. */
  endWorkers(): void {
    const ended = this.deployments.filter(isEnding).map(shardOf);
    this.deployments = this.deployments.filter((it) => !isEnding(it));
    this.pods = this.pods.filter((pod) => !ended.includes(shardOf(pod)));
  }

  #did(deed: string): void {
    this.deeds.push(deed);
  }

  #parts(): Parts {
    return {
      config,
      schemas,
      cache: this.#cache(),
      writer: {
        setFinalizer: async (feed, wanted) => {
          if ((feed.metadata.finalizers?.length ?? 0) > 0 === wanted) return;
          this.#did(wanted ? 'add finalizer' : 'remove finalizer');
          this.feed = wanted ? { ...feed, metadata: { ...feed.metadata, finalizers: ['feeds.k2.dev/workers'] } } : null;
        },
        applyStatus: async (_, status) => {
          this.#did('write status');
          if (this.feed && status) this.feed = { ...this.feed, status };
        },
      },
      targets: {
        topics: this.#topicsTarget(),
        subjects: this.#subjectsTarget(),
        workers: this.#workersTarget(),
      },
      workers: { read: async (pods) => pods.map((pod) => this.#report(pod)), close: async () => {} },
      secrets: {
        read: async () => {
          if (this.secretProblem !== null) throw this.secretProblem;
          return { ...openAccess, hash: this.secretHash };
        },
      },
      memory: this.#memory,
      metrics: createControllerMetrics(new Registry(), () => []),
      events: { record: (_, { type, reason }) => void this.events.push(`${type} ${reason}`) },
      log: createLogger('silent', 'test'),
      nowMs: () => this.nowMs,
      wallClockMs: () => Date.parse('2026-01-01T00:00:00Z') + this.nowMs,
      random: () => 0.5,
    };
  }

  #cache(): Parts['cache'] {
    const nothing = { deployments: [], budgets: [] };
    return {
      feed: () => this.feed,
      claims: () => createClaims([...(this.feed ? [this.feed] : []), ...this.others], config),
      workload: (of) => (of === key ? this.#workload() : (this.workloads.get(of)?.workload ?? nothing)),
      pods: (of) => (of === key ? this.pods : (this.workloads.get(of)?.pods ?? [])),
    };
  }

  #topicsTarget(): Parts['targets']['topics'] {
    const requireBroker = () => {
      if (this.isBrokerAway) throw new TargetError('BrokerUnreachable', 'connection refused');
    };
    return {
      observe: async ({ topics }) => {
        this.#did('look at topics');
        requireBroker();
        return new Map([...this.topics].filter(([name]) => topics.some((topic) => topic.name === name)));
      },
      apply: async (_, action) => {
        requireBroker();
        this.#did(`${action.kind} topics`);
        for (const { name, ...topic } of action.topics) this.topics.set(name, topic);
        if (action.kind === 'create') for (const { name } of action.topics) this.made.add(name);
      },
      made: async () => {
        requireBroker();
        return this.made;
      },
      remove: async (_, names) => {
        this.#did(`delete topics ${names.join(' ')}`);
        for (const name of names) this.topics.delete(name);
      },
      close: async () => {},
    };
  }

  #subjectsTarget(): Parts['targets']['subjects'] {
    const requireRegistry = () => {
      if (this.isRegistryAway) throw new TargetError('RegistryUnreachable', 'connection refused');
    };
    return {
      observe: async () => {
        this.#did('look at subjects');
        requireRegistry();
        return new Map(this.subjects);
      },
      apply: async (_, { subjects }) => {
        requireRegistry();
        if (this.isSchemaRefused) throw new TargetError('SchemaIncompatible', 'the new schema cannot read old records');
        this.#did('register subjects');
        for (const { name } of subjects) this.subjects.set(name, this.subjects.size + 1);
        for (const { name } of subjects) this.made.add(name);
      },
      made: async () => this.made,
      remove: async (_, names) => {
        requireRegistry();
        this.#did(`delete subjects ${names.join(' ')}`);
        for (const name of names) this.subjects.delete(name);
      },
    };
  }

  #workersTarget(): Parts['targets']['workers'] {
    return {
      observe: async () => this.#workload(),
      apply: async (_, { kind, object }) => {
        if (this.isQuotaExceeded) throw new TargetError('WorkersRefused', 'exceeded quota');
        this.#did(`${kind} ${object.kind} ${object.metadata.name}`);
        if (kind === 'remove') this.#remove(object);
        else this.#store(object);
      },
      remove: async (object) => {
        if (this.isDeletionForbidden) throw new Error('deployments is forbidden');
        this.#did(`remove ${object.kind} ${object.metadata.name}`);
        this.#remove(object);
      },
    };
  }

  #workload() {
    return { deployments: [...this.deployments], budgets: [...this.budgets] };
  }

  #store(object: Deployment | PodDisruptionBudget): void {
    const others = <T extends typeof object>(all: T[]) =>
      all.filter(({ metadata }) => metadata.name !== object.metadata.name);
    const stored = this.deployments.find(({ metadata }) => metadata.name === object.metadata.name);
    const copy = structuredClone(object);
    if (copy.kind === 'PodDisruptionBudget') {
      this.budgets = [...others(this.budgets), copy];
    } else {
      copy.metadata.generation = (stored?.metadata.generation ?? 0) + 1;
      this.deployments = [...others(this.deployments), { ...copy, ...(stored?.status && { status: stored.status }) }];
    }
  }

  /** A Deployment stays until its pods have ended. */
  #remove({ kind, metadata: { name } }: Deployment | PodDisruptionBudget): void {
    if (kind === 'PodDisruptionBudget') this.budgets = this.budgets.filter(({ metadata }) => metadata.name !== name);
    else
      this.deployments = this.deployments.map((it) =>
        it.metadata.name === name ? { ...it, metadata: { ...it.metadata, deletionTimestamp: 'now' } } : it,
      );
  }

  #report(pod: Pod) {
    const shard = shardOf(pod);
    const role = this.roles.get(shard) ?? 'owner';
    const own = spread(this.feed?.spec.symbols ?? [], this.feed?.spec.shards ?? 1)[shard] ?? [];
    const symbols = own.map((symbol) => ({
      symbol,
      state: 'subscribed' as const,
      message: '',
      lastTradeTimeMs: this.nowMs,
      continuity: this.continuity,
    }));
    const { tradesPerSecond } = this;
    const figures = { completeness: 100, tradesTotal: 1, tradesPerSecond };
    const said =
      role === 'owner' ? { streaming: true, message: '' } : { streaming: false, message: 'standby: x owns it' };
    const status = { exchange: 'binance', role, ...said, symbols, ...figures };
    return { pod: pod.metadata.name, shard, ready: true, status };
  }
}

/** Makes the world one in which the feed streams, and forgets what that took. */
export async function ready(world = new World()): Promise<World> {
  await world.reconcile();
  world.startWorkers();
  await world.reconcile();
  expect(world.reason).toBe('FeedReady');
  world.takeDeeds();
  return world;
}
