// When a feed is looked at again, and how long what it waits for may take. Pure; all of it milliseconds.
import type { Condition } from '../api/exchange-feed.ts';
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import { classOf, type Reason, type TargetError } from './errors.ts';

// From 1 s on, so that Ready follows soon after it is true; 10 s at most while a person may be waiting for it.
const progressLimits: BackoffLimits = { delayMsBase: 2_000, delayMsMax: 10_000 };
// A broker or registry that is away is not asked by every feed every 10 s.
const retryLimits: BackoffLimits = { delayMsBase: 2_000, delayMsMax: 30_000 };
// Workers have no watch: their figures and their streaming are read at this rhythm.
const readyMs = 30_000;
// What stays so until the feed is changed; its workers' ends are watched.
const resting: Reason = 'Paused';
// Kafka and the registry have no watch either; jitter, or all feeds would be looked at at once for ever after a start.
const driftMs = 300_000;
const driftJitter = 0.2;
/** One look at a broker, or a registry, serves all who look for drift within that time. */
export const sharedLookMs = 60_000;
// Other feeds are looked at in memory; their workers may end at any time.
const conflictMs = 15_000;
const conflictReasons: readonly Reason[] = ['TopicConflict', 'SymbolConflict'];
export const liveMs = 30_000;
/** A worker that has just begun has no rate to tell yet. */
export const settleMs = 5_000;
// An owner that is silent is taken over from after 15 s, and that takes a few more: longer is no hand-over.
const ownerlessMsMax = 30_000;
export const deletionPollMs = 1_000;

export const driftLookMs = (random: number): number => driftMs * (1 + driftJitter * (random - 0.5));

/**
 * @param ready as it is now
 * @param before as it was
 * @param unreadyCount looks in a row that found it not Ready
 * @param random a number in [0, 1)
 */
export function lookAgainMs(
  ready: Condition | undefined,
  before: Condition | undefined,
  failures: readonly TargetError[],
  unreadyCount: number,
  random: number,
): number {
  // Nothing of ours failed: it is the workers who judge so, while they stream on.
  if (ready && classOf(ready.reason as Reason) === 'terminal' && failures.length === 0) return readyMs;
  if (ready?.reason === resting && failures.length === 0) return driftLookMs(random);
  if (ready?.status === 'True') return before?.status === 'True' ? readyMs : settleMs;
  // Paused: not Ready, and as wanted.
  if (ready !== undefined && classOf(ready.reason as Reason) === 'healthy') return readyMs;
  if (failures.some(({ reason }) => conflictReasons.includes(reason))) return conflictMs;
  const isHopeless = failures.length > 0 && failures.every(({ reason }) => classOf(reason) === 'terminal');
  if (isHopeless) return driftLookMs(random);
  return backoffDelayMs(unreadyCount, failures.length > 0 ? retryLimits : progressLimits, random);
}

/** When shards were first seen without an owner, by shard; those that have one again are forgotten. */
export function ownerlessSince(
  before: ReadonlyMap<number, number>,
  ownerless: readonly number[],
  nowMs: number,
): ReadonlyMap<number, number> {
  return new Map(ownerless.map((shard) => [shard, before.get(shard) ?? nowMs]));
}

/** Shards that nobody has written for too long, counted from when that was first seen. */
export function ownerlessFor(sinceMs: ReadonlyMap<number, number>, nowMs: number): number[] {
  return [...sinceMs].filter(([, startMs]) => nowMs - startMs >= ownerlessMsMax).map(([shard]) => shard);
}
