// Many feeds, each with topics and symbols of its own, and when each of them was applied and became Ready.
import { type ExchangeFeed, group, plural, version } from '../../api/exchange-feed.ts';
import { systemClock } from '../../controller/kube/clock.ts';
import { isNotFound } from '../../controller/kube/errors.ts';
import { keyOf, resourcePath } from '../../controller/kube/object.ts';
import { createReflector, type Reflector } from '../../controller/kube/reflector.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { createLogger } from '../../runtime/log.ts';
import { until } from '../cluster/until.ts';
import type { ControlPlane } from '../services/control-plane.ts';

/** As a person has them: some feeds in each. */
const namespaces = Array.from({ length: 10 }, (_, index) => `scale-${index}`);
/** Requests under way at once. */
const concurrency = 8;

/** How each exchange spells the symbol of a base. */
const spellings = {
  binance: (base: string) => `${base}USDT`,
  bybit: (base: string) => `${base}USDT`,
  coinbase: (base: string) => `${base}-USD`,
  'coinbase-advanced': (base: string) => `${base}-USD`,
  kraken: (base: string) => `${base}/USD`,
  okx: (base: string) => `${base}-USDT`,
};

/** @param index gives it its name, its topics and its symbols */
export function feedAt(index: number, spec: object = {}) {
  const exchanges = Object.entries(spellings);
  const [exchange, spell] = exchanges[index % exchanges.length] ?? ['binance', spellings.binance];
  const number = String(index).padStart(4, '0');
  return {
    apiVersion: `${group}/${version}`,
    kind: 'ExchangeFeed',
    metadata: { name: `feed-${number}`, namespace: namespaces[index % namespaces.length] ?? '' },
    spec: {
      exchange,
      symbols: ['A', 'B', 'C'].map((letter) => spell(`${letter}${number}`)),
      topics: { partitions: 1, raw: { name: `scale.${number}.raw` }, normalized: { name: `scale.${number}` } },
      ...spec,
    },
  };
}

type Manifest = ReturnType<typeof feedAt>;

export class Feeds {
  readonly #transport: Transport;
  readonly #reflector: Reflector<ExchangeFeed>;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  readonly #appliedMs = new Map<string, number>();
  readonly #readyMs = new Map<string, number>();

  private constructor(plane: ControlPlane) {
    this.#transport = createTransport(plane.kubeConfig, { userAgent: 'scale-feeds' });
    this.#reflector = createReflector<ExchangeFeed>({
      name: plural,
      transport: this.#transport,
      path: resourcePath({ group, version, plural }),
      onChange: (key, _, feed) => {
        if (feed !== null && isReady(feed) && !this.#readyMs.has(key)) this.#readyMs.set(key, performance.now());
      },
      clock: systemClock,
      random: Math.random,
      log: createLogger('error', 'scale-feeds'),
    });
    this.#ended = this.#reflector.run(this.#stop.signal);
  }

  static async start(plane: ControlPlane): Promise<Feeds> {
    const names = namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }));
    await plane.apply(...names);
    const feeds = new Feeds(plane);
    await feeds.#reflector.synced;
    return feeds;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#transport.close();
  }

  get count(): number {
    return this.#reflector.list().length;
  }

  get(manifest: Manifest): ExchangeFeed | null {
    return this.#reflector.get(keyOf(manifest));
  }

  /** As `kubectl create` would, a few at a time. */
  async create(manifests: readonly Manifest[]): Promise<void> {
    await inParallel(manifests, async (manifest) => {
      this.#appliedMs.set(keyOf(manifest), performance.now());
      await this.#transport.request('POST', pathOf(manifest, true), { body: manifest });
    });
  }

  /** Changes some fields of each, as `kubectl patch` would. */
  async patch(manifests: readonly Manifest[], body: object): Promise<void> {
    await inParallel(manifests, async (manifest) => {
      const contentType = 'application/merge-patch+json';
      await this.#transport.request('PATCH', pathOf(manifest), { contentType, body });
    });
  }

  async delete(manifests: readonly Manifest[]): Promise<void> {
    await inParallel(manifests, async (manifest) => {
      try {
        await this.#transport.request('DELETE', pathOf(manifest));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    });
  }

  /** Feeds that are Ready for their present spec. */
  get ready(): number {
    return this.#reflector.list().filter(isReady).length;
  }

  async untilReady(count: number, limitMs: number): Promise<void> {
    await until(`${count} feeds to be Ready`, limitMs, () => (this.ready >= count ? true : undefined));
  }

  async untilGone(limitMs: number): Promise<void> {
    await until('all feeds to be gone', limitMs, () => (this.count === 0 ? true : undefined));
  }

  /** From its creation to when it was first seen Ready, milliseconds; only of feeds for which that is known. */
  latenciesMs(manifests: readonly Manifest[]): number[] {
    return manifests.flatMap((manifest) => {
      const [appliedMs, readyMs] = [this.#appliedMs, this.#readyMs].map((times) => times.get(keyOf(manifest)));
      return appliedMs === undefined || readyMs === undefined ? [] : [readyMs - appliedMs];
    });
  }
}

function isReady({ metadata, status }: ExchangeFeed): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation;
}

const pathOf = ({ metadata: { name, namespace } }: Manifest, isCollection = false) =>
  resourcePath({ group, version, plural, namespace, name: isCollection ? undefined : name });

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const worker = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}
