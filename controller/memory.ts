// What the controller remembers of each feed from one reconcile to the next. It only saves work and paces it: losing
// it, as every restart does, costs one look at broker and registry for each feed.
import type { ExchangeFeed, ExchangeFeedStatus } from '../api/exchange-feed.ts';
import type { Deletion } from './deletion.ts';
import type { LastHour } from './last-hour.ts';
import type { ObservedSubjects, ObservedTopics } from './plan.ts';

export interface FeedMemory {
  uid: string;
  generation: number;
  /**
   * Topics and subjects as they were found right, with these Secrets; neither broker nor registry is asked again before
   * `untilMs`.
   */
  verified: { topics: ObservedTopics; subjects: ObservedSubjects; secrets: string; untilMs: number } | null;
  /** As last written or first read: the watch may not have brought our own write back yet. */
  status: ExchangeFeedStatus;
  /** Reconciles in a row that ended not Ready. */
  unreadyCount: number;
  /** When live figures may be written again. */
  liveDueMs: number;
  /** Outlives a new spec, since the feed's trades are the same; null: no worker was read yet. */
  hour: LastHour | null;
  /** When the workers of a shard were first heard, and none of them wrote; by shard. */
  ownerlessSinceMs: ReadonlyMap<number, number>;
  /** Null: the feed is not being deleted. */
  deletion: Deletion | null;
}

/** One entry for each feed that exists, so the number of feeds bounds it. All times are of the monotonic clock. */
export type Memory = Map<string, FeedMemory>;

/** The feed's entry; a new spec, or another feed of the same name, starts afresh. */
export function recall(memory: Memory, key: string, feed: ExchangeFeed): FeedMemory {
  const { uid, generation } = feed.metadata;
  const known = memory.get(key);
  if (known?.uid === uid && known.generation === generation) return known;
  const kept = known?.uid === uid ? known : { status: feed.status ?? {}, liveDueMs: 0, hour: null };
  const fresh: FeedMemory = {
    uid,
    generation,
    verified: null,
    status: kept.status,
    unreadyCount: 0,
    liveDueMs: kept.liveDueMs,
    hour: kept.hour,
    ownerlessSinceMs: new Map(),
    deletion: null,
  };
  memory.set(key, fresh);
  return fresh;
}
