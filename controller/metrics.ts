// The controller's own metrics; those of the Kubernetes machinery are in kube/metrics.ts. Labels come from closed
// lists only. docs/reference/controller-metrics.md lists them; a test holds list and page equal.
import { Counter, Gauge, type Registry } from 'prom-client';
import { type ConditionStatus, type ConditionType, conditionTypes, type ExchangeFeed } from '../api/exchange-feed.ts';

export interface ControllerMetrics {
  actions: Counter<'target' | 'kind'>;
  failures: Counter<'reason'>;
  statusWrites: Counter;
}

const statuses: ConditionStatus[] = ['True', 'False', 'Unknown'];

/** @param feeds what the controller has in its cache, counted at every scrape */
export function createControllerMetrics(registry: Registry, feeds: () => ExchangeFeed[]): ControllerMetrics {
  const registers = [registry];
  new Gauge({
    name: 'k2_controller_feeds',
    help: 'Feeds by condition and its status; a feed without the condition counts as Unknown.',
    labelNames: ['condition', 'status'],
    registers,
    collect() {
      for (const { condition, status, count } of countConditions(feeds())) this.set({ condition, status }, count);
    },
  });
  return {
    actions: new Counter({
      name: 'k2_controller_actions_total',
      help: 'Changes made to topics, subjects and workers; a converged feed makes none.',
      labelNames: ['target', 'kind'],
      registers,
    }),
    failures: new Counter({
      name: 'k2_controller_failures_total',
      help: 'What stood in the way of a feed, by reason, each time it was met.',
      labelNames: ['reason'],
      registers,
    }),
    statusWrites: new Counter({
      name: 'k2_controller_status_writes_total',
      help: 'Statuses written to the API server; an unchanged status is not written.',
      registers,
    }),
  };
}

function countConditions(
  feeds: ExchangeFeed[],
): { condition: ConditionType; status: ConditionStatus; count: number }[] {
  return conditionTypes.flatMap((condition) =>
    statuses.map((status) => ({
      condition,
      status,
      count: feeds.filter((feed) => statusOf(feed, condition) === status).length,
    })),
  );
}

const statusOf = (feed: ExchangeFeed, type: ConditionType): ConditionStatus =>
  feed.status?.conditions?.find((condition) => condition.type === type)?.status ?? 'Unknown';
