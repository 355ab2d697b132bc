// How tools that wait read a resource: the published rules of kstatus, and those of `kubectl wait --for=condition`.
// https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/status/generic.go and status.go beside it,
// https://github.com/kubernetes/kubectl/blob/master/pkg/cmd/wait/condition.go
import type { ExchangeFeed } from '../../api/exchange-feed.ts';

export type KStatus = 'InProgress' | 'Failed' | 'Current' | 'Terminating';

/** As Compute() does for a kind that it has no rules of its own for. */
export function kstatusOf({ metadata, status = {} }: ExchangeFeed): KStatus {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  const { observedGeneration, conditions = [] } = status;
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return 'InProgress';
  for (const { type, status: value } of conditions) {
    if (type === 'Reconciling' && value === 'True') return 'InProgress';
    if (type === 'Stalled' && value === 'True') return 'Failed';
  }
  const ready = conditions.find(({ type }) => type === 'Ready');
  return ready === undefined || ready.status === 'True' ? 'Current' : 'InProgress';
}

/** Whether `kubectl wait --for=condition=<type>` returns: a condition about an older generation does not count. */
export function endsWait({ metadata, status = {} }: ExchangeFeed, type: string): boolean {
  const condition = status.conditions?.find((it) => it.type.toLowerCase() === type.toLowerCase());
  if (condition === undefined) return false;
  const observed = condition.observedGeneration ?? status.observedGeneration;
  if (observed !== undefined && observed < metadata.generation) return false;
  return condition.status === 'True';
}
