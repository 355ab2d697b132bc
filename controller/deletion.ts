// The file that knows the order in which a feed goes: its workers end, then the topics and subjects made for it go if
// it says so, then the feed itself. Whatever fails, every step has its time, and the feed goes after it.
import type { ExchangeFeed } from '../api/exchange-feed.ts';
import { type Desired, desire, subjectOf } from './desired.ts';
import { wordsOf } from './errors.ts';
import type { EventNote } from './kube/events.ts';
import { planRemoval } from './plan.ts';
import type { Parts } from './reconcile.ts';
import { isEnding } from './workload.ts';

/** How far the deletion of a feed came. Times are of the monotonic clock, milliseconds. */
export interface Deletion {
  startMs: number;
  /** Null: they have not ended. */
  workersEndedMs: number | null;
  /** Nothing is left to do about them. */
  isDone: { topics: boolean; subjects: boolean };
}

// Deleting a worker takes as long as its drain, 45 s at most; a node that is gone must not keep a feed for ever.
const workersMsMax = 60_000;
// A broker that elects a leader needs seconds; one that is gone must not keep a feed for ever.
const removalMsMax = 60_000;

type Tell = (type: EventNote['type'], reason: string, action: string, note: string) => void;

export const beginDeletion = (nowMs: number): Deletion => ({
  startMs: nowMs,
  workersEndedMs: null,
  isDone: { topics: false, subjects: false },
});

/**
 * One step, to be called again until there is none left.
 * @returns what is waited for, a sentence; null: nothing holds the feed any more
 */
export async function advanceDeletion(
  key: string,
  feed: ExchangeFeed,
  deletion: Deletion,
  parts: Parts,
): Promise<string | null> {
  const { deletionPolicy } = feed.spec;
  const tell: Tell = (type, reason, action, note) => {
    parts.log[type === 'Normal' ? 'info' : 'warn']({ feed: key, reason }, note);
    parts.events.record(feed, { type, reason, action, note });
  };
  if (deletion.workersEndedMs === null) {
    const waiting = await endWorkers(key, deletion, parts, tell);
    if (waiting !== null) return waiting;
    if (deletionPolicy === 'Retain') tell('Normal', 'TopicsRetained', 'Delete', 'Topics and subjects stay');
  }
  const { topics, subjects } = deletion.isDone;
  if (deletionPolicy === 'Delete' && !(topics && subjects)) return removeData(feed, deletion, parts, tell);
  return null;
}

/** Their budgets hold up no deletion, and the cluster collects them with the feed. */
async function endWorkers(key: string, deletion: Deletion, parts: Parts, tell: Tell): Promise<string | null> {
  const { deployments } = parts.cache.workload(key);
  const isGone = deployments.length === 0 && parts.cache.pods(key).length === 0;
  const isOverdue = parts.nowMs() - deletion.startMs >= workersMsMax;
  if (isGone || isOverdue) {
    deletion.workersEndedMs = parts.nowMs();
    if (isGone) {
      tell('Normal', 'WorkersEnded', 'Delete', 'The workers have ended');
      return null;
    }
    const left = `The workers have not ended within ${workersMsMax / 1000} s, and the feed goes without them`;
    tell('Warning', 'WorkersLeft', 'Delete', `${left}; topics and subjects stay, as they may still write`);
    // One that writes would make the topic anew on many brokers.
    deletion.isDone = { topics: true, subjects: true };
    return null;
  }
  const waiting = 'The feed is deleted once its workers have ended';
  const standing = deployments.filter((it) => !isEnding(it));
  if (standing.length === 0) return waiting;
  try {
    await Promise.all(standing.map((it) => parts.targets.workers.remove(it)));
    tell('Normal', 'WorkersEnding', 'Delete', 'The workers end: they write what they hold, and release their symbols');
    return waiting;
  } catch (error) {
    return `${waiting}: ${wordsOf(error)}`;
  }
}

async function removeData(feed: ExchangeFeed, deletion: Deletion, parts: Parts, tell: Tell): Promise<string | null> {
  try {
    const desired = desire(feed, parts.config, parts.schemas, await parts.secrets.read(feed));
    const removed = await Promise.allSettled([
      removeTopics(desired, deletion, parts, tell),
      removeSubjects(desired, deletion, parts, tell),
    ]);
    const errors = removed.flatMap((it) => (it.status === 'rejected' ? [it.reason] : []));
    if (errors.length > 0) throw new AggregateError(errors);
    return null;
  } catch (error) {
    const words = wordsOf(error);
    const isOverdue = parts.nowMs() - (deletion.workersEndedMs ?? 0) >= removalMsMax;
    if (!isOverdue) return `Topics and subjects are deleted next: ${words}`;
    const left = `Not deleted within ${removalMsMax / 1000} s, and left`;
    tell('Warning', 'TopicsLeft', 'Delete', `${left}: ${words}`);
    return null;
  }
}

function inUse({ workload: { feedKey } }: Desired, { cache }: Parts): ReadonlySet<string> {
  const hasWorkers = (key: string) => cache.workload(key).deployments.length > 0 || cache.pods(key).length > 0;
  return cache.claims().inUse(feedKey, hasWorkers);
}

async function removeTopics(desired: Desired, deletion: Deletion, parts: Parts, tell: Tell) {
  if (deletion.isDone.topics) return;
  const names = desired.topics.map(({ name }) => name);
  const made = await parts.targets.topics.made(desired);
  const { removed, kept } = planRemoval(names, made, inUse(desired, parts));
  if (removed.length > 0) {
    await parts.targets.topics.remove(desired, removed);
    tell('Normal', 'TopicsDeleted', 'Delete', `Deleted: ${removed.join(', ')}`);
  }
  if (kept.length > 0) {
    const why = 'this operator did not make them, or another feed uses them';
    tell('Normal', 'TopicsKept', 'Delete', `Kept, since ${why}: ${kept.join(', ')}`);
  }
  deletion.isDone.topics = true;
}

async function removeSubjects(desired: Desired, deletion: Deletion, parts: Parts, tell: Tell) {
  if (deletion.isDone.subjects) return;
  const names = desired.subjects.map(({ name }) => name);
  const made = await parts.targets.subjects.made(desired);
  const { removed } = planRemoval(names, made, new Set([...inUse(desired, parts)].map(subjectOf)));
  if (removed.length > 0) {
    await parts.targets.subjects.remove(desired, removed);
    tell('Normal', 'SubjectsDeleted', 'Delete', `Deleted: ${removed.join(', ')}`);
  }
  deletion.isDone.subjects = true;
}
