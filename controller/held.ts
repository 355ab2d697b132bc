// What waits while the reconciliation of a feed is paused: the actions of its plan, told instead of done. Pure.
import { type ExchangeFeed, pauseReconciliationAnnotation } from '../api/exchange-feed.ts';
import { type Reason, TargetError } from './errors.ts';
import type { Action } from './plan.ts';

export const isHeld = ({ metadata }: ExchangeFeed): boolean =>
  metadata.annotations?.[pauseReconciliationAnnotation] === 'true';

const reasonOf: Record<Action['target'], Reason> = {
  topics: 'TopicsPending',
  subjects: 'SubjectsPending',
  workers: 'WorkersPending',
};

/** So that each condition says what is not as the feed wants it, and Ready why it stays so. */
export function hold(actions: Action[]): TargetError[] {
  if (actions.length === 0) return [];
  const byTarget = [...Map.groupBy(actions, ({ target }) => target)];
  const waiting = byTarget.map(([target, own]) => {
    return new TargetError(reasonOf[target], `Reconciliation is paused, so this waits: ${own.map(wordsOf).join('; ')}`);
  });
  const all = actions.map(wordsOf).join('; ');
  return [
    new TargetError('ChangesHeld', `Reconciliation is paused, and the feed wants other than there is: ${all}`),
    ...waiting,
  ];
}

function wordsOf(action: Action): string {
  const names = (named: { name: string }[]) => named.map(({ name }) => name).join(', ');
  switch (action.target) {
    case 'topics':
      return `${action.kind} topics ${names(action.topics)}`;
    case 'subjects':
      return `${action.kind} subjects ${names(action.subjects)}`;
    case 'workers':
      return `${action.kind} ${action.object.kind} ${action.object.metadata.name}`;
  }
}
