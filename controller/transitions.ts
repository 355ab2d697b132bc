// What a feed's Events tell. Pure: from what was done, and from its status as it was and as it is.
import type { Condition, ExchangeFeedStatus } from '../api/exchange-feed.ts';
import { classOf, type Reason } from './errors.ts';
import type { EventNote } from './kube/events.ts';
import type { Action, ObservedTopics } from './plan.ts';

/**
 * Null: nothing to tell. Steps on the way to Ready are not told, or a feed that starts would fill the list; that it is
 * Ready no more always is.
 */
export function readyTransition(previous: Condition | undefined, current: Condition | undefined): EventNote | null {
  if (current === undefined || current.reason === previous?.reason) return null;
  const reasonClass = classOf(current.reason as Reason);
  if (reasonClass === 'progressing' && previous?.status !== 'True') return null;
  const type = reasonClass === 'healthy' || reasonClass === 'progressing' ? 'Normal' : 'Warning';
  return { type, reason: current.reason, note: current.message, action: 'Reconcile' };
}

/** Null: what is done to Deployments is told by their own controllers. */
export function actionDone(action: Action): EventNote | null {
  if (action.target === 'workers') return null;
  const things = action.target === 'topics' ? action.topics : action.subjects;
  const names = things.map(({ name }) => name).join(', ');
  const [reason, verb] = toldActions[action.kind];
  return { type: 'Normal', reason, note: `${verb}: ${names}`, action: 'Apply' };
}

export const toldActions = {
  create: ['TopicsCreated', 'Created'],
  grow: ['TopicsGrown', 'Partitions added'],
  configure: ['TopicsConfigured', 'Settings set right'],
  register: ['SubjectsRegistered', 'Schemas registered'],
} as const;

/** Once a feed has its topics: which of them this operator did not make. */
export function adoption(
  previous: ExchangeFeedStatus,
  current: ExchangeFeedStatus,
  topics: ObservedTopics | null,
): EventNote | null {
  const isReady = ({ conditions = [] }: ExchangeFeedStatus) =>
    conditions.some(({ type, status }) => type === 'TopicsReady' && status === 'True');
  if (topics === null || isReady(previous) || !isReady(current)) return null;
  const known = new Set(previous.topics?.map(({ name }) => name));
  const adopted = [...topics].flatMap(([name, { isAdopted }]) => (isAdopted && !known.has(name) ? [name] : []));
  if (adopted.length === 0) return null;
  const note = `Used as they are, and never deleted, since they existed before: ${adopted.join(', ')}`;
  return { type: 'Normal', reason: 'TopicsAdopted', note, action: 'Adopt' };
}
