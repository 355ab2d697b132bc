// A small world for reconcile: API server, broker, registry and workers as values that a test can look at and break.
// The real ones are behind the same interfaces in targets/*.broker.test.ts and in the end-to-end tests.
import { Registry } from 'prom-client';
import type { ExchangeFeed, ExchangeFeedStatus } from '../../api/exchange-feed.ts';
import { TargetError } from '../../controller/errors.ts';
import type { Memory } from '../../controller/memory.ts';
import { createControllerMetrics } from '../../controller/metrics.ts';
import type { ObservedTopic } from '../../controller/plan.ts';
import { type Parts, reconcile } from '../../controller/reconcile.ts';
import type { Deployment, Pod } from '../../controller/workload.ts';
import { createLogger } from '../../runtime/log.ts';
import { config, key, proven, sampleFeed, schemas } from './sample-feed.ts';

export class World {
  feed: ExchangeFeed | null = sampleFeed();
  deployment: Deployment | null = null;
  pods: Pod[] = [];
  topics = new Map<string, ObservedTopic>();
  subjects = new Map<string, number>();
  isBrokerAway = false;
  isRegistryAway = false;
  isQuotaExceeded = false;
  tradesPerSecond = 100;
  /** What the worker says of each symbol's trade ids. */
  continuity = proven;
  /** What was written or asked outside, in order, since the last look. */
  deeds: string[] = [];
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

  /** What controller manager, scheduler and kubelet do. */
  startWorkers(): void {
    if (this.deployment === null) return;
    const counts = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
    this.deployment.status = { observedGeneration: 1, ...counts };
    this.pods = [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'binance-0-x' } }];
  }

  #did(deed: string): void {
    this.deeds.push(deed);
  }

  #parts(): Parts {
    const requireBroker = () => {
      if (this.isBrokerAway) throw new TargetError('BrokerUnreachable', 'connection refused');
    };
    const requireRegistry = () => {
      if (this.isRegistryAway) throw new TargetError('RegistryUnreachable', 'connection refused');
    };
    return {
      config,
      schemas,
      cache: { feed: () => this.feed, deployment: () => this.deployment, pods: () => this.pods },
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
        topics: {
          observe: async ({ topics }) => {
            this.#did('look at topics');
            requireBroker();
            return new Map([...this.topics].filter(([name]) => topics.some((topic) => topic.name === name)));
          },
          apply: async (_, action) => {
            requireBroker();
            this.#did(`${action.kind} topics`);
            for (const { name, ...topic } of action.topics) this.topics.set(name, topic);
          },
          close: async () => {},
        },
        subjects: {
          observe: async () => {
            this.#did('look at subjects');
            requireRegistry();
            return new Map(this.subjects);
          },
          apply: async (_, { subjects }) => {
            requireRegistry();
            this.#did('register subjects');
            for (const { name } of subjects) this.subjects.set(name, this.subjects.size + 1);
          },
        },
        workers: {
          observe: async () => this.deployment,
          apply: async (_, { deployment }) => {
            if (this.isQuotaExceeded) throw new TargetError('WorkersRefused', 'exceeded quota');
            this.#did('apply workers');
            this.deployment = structuredClone(deployment);
          },
          remove: async (deployment) => {
            this.#did('delete workers');
            this.deployment = { ...deployment, metadata: { ...deployment.metadata, deletionTimestamp: 'now' } };
          },
        },
      },
      workers: { read: async (pods) => pods.map(({ metadata }) => this.#report(metadata.name)), close: async () => {} },
      memory: this.#memory,
      metrics: createControllerMetrics(new Registry(), () => []),
      log: createLogger('silent', 'test'),
      nowMs: () => this.nowMs,
      wallClockMs: () => Date.parse('2026-01-01T00:00:00Z') + this.nowMs,
      random: () => 0.5,
    };
  }

  #report(pod: string) {
    const symbols = sampleFeed().spec.symbols.map((symbol) => ({
      symbol,
      state: 'subscribed' as const,
      message: '',
      lastTradeTimeMs: this.nowMs,
      continuity: this.continuity,
    }));
    const { tradesPerSecond } = this;
    const figures = { completeness: 100, tradesTotal: 1, tradesPerSecond };
    return { pod, ready: true, status: { exchange: 'binance', streaming: true, message: '', symbols, ...figures } };
  }
}
