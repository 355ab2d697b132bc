// What describe() is asked about a feed with which everything is as it should be, and ways to change it.
import type { Condition, ExchangeFeed, ExchangeFeedStatus } from '../../api/exchange-feed.ts';
import type { ContinuityStatus, WorkerStatus } from '../../api/worker-status.ts';
import { desire } from '../../controller/desired.ts';
import { hourAfter } from '../../controller/last-hour.ts';
import { completenessOf, type Seen } from '../../controller/status.ts';
import { hear, type WorkerReport } from '../../controller/streaming.ts';
import { type Pod, shardLabel } from '../../controller/workload.ts';
import { config, proven, sampleFeed, schemas } from './sample-feed.ts';

export const startMs = Date.parse('2026-01-01T00:00:00.900Z');
export const tradeMs = Date.parse('2026-01-01T00:00:00.500Z');

/** What a worker says of a symbol of which it has written ten trades, just now. */
export const counted: ContinuityStatus = { ...proven, sinceMs: tradeMs };

/** An owner that streams every symbol. */
export function workerStatus(symbols: string[], changes: Partial<WorkerStatus> = {}): WorkerStatus {
  const entry = { state: 'subscribed' as const, message: '', lastTradeTimeMs: tradeMs, continuity: counted };
  return {
    exchange: 'binance',
    role: 'owner',
    streaming: true,
    message: '',
    symbols: symbols.map((symbol) => ({ symbol, ...entry })),
    completeness: 100,
    tradesTotal: 10,
    tradesPerSecond: 168.4,
    ...changes,
  };
}

/** The same with something else said of one symbol. */
export function withSymbol(
  status: WorkerStatus,
  name: string,
  changes: Partial<WorkerStatus['symbols'][number]>,
): WorkerStatus {
  return { ...status, symbols: status.symbols.map((it) => (it.symbol === name ? { ...it, ...changes } : it)) };
}

export const report = (status: WorkerReport['status'], ready = true, shard = 0): WorkerReport => {
  return { pod: `binance-${shard}-x`, shard, ready, status };
};

export const podOf = (shard: number): Pod => {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `binance-${shard}-x`, labels: { [shardLabel]: String(shard) } },
  };
};

export function wellSeen(feed: ExchangeFeed = sampleFeed()): Seen {
  const desired = desire(feed, config, schemas);
  const { deployments } = desired.workload;
  const rolledOut = (replicas: number) => {
    const counts = { updatedReplicas: replicas, readyReplicas: replicas, availableReplicas: replicas };
    return { observedGeneration: 1, replicas, ...counts };
  };
  const seen = {
    feed,
    previous: {},
    desired,
    topics: new Map(desired.topics.map(({ name, ...topic }) => [name, topic])),
    subjects: new Map(desired.subjects.map(({ name }, index) => [name, index + 1])),
    failures: [],
    deployments: deployments.map((it) => ({ ...it, status: rolledOut(it.spec.replicas) })),
    pods: deployments.map((_, shard) => podOf(shard)),
    reports: [],
    ownerless: [],
    hour: null,
    nowMs: startMs,
    monotonicMs: 0,
    liveDue: true,
  };
  return withReports(seen, [report(workerStatus(feed.spec.symbols))]);
}

/** With what is counted of them, as reconcile does it. */
export function withReports(seen: Seen, reports: WorkerReport[]): Seen {
  const heard = { ...seen, reports: hear(reports) };
  const { totals } = completenessOf(heard);
  return { ...heard, hour: hourAfter(seen.hour, totals, seen.previous.live?.completeness, seen) };
}

export const conditionOf = (status: ExchangeFeedStatus, type: Condition['type']): Condition | undefined =>
  status.conditions?.find((candidate) => candidate.type === type);
