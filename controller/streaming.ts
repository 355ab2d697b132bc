// What the workers say of themselves, summed up: does every symbol of the feed stream? Pure.
import type { WorkerStatus } from '../api/worker-status.ts';
import type { Finding } from './errors.ts';

/** One worker's GET /status, or why it could not be read. */
export interface WorkerReport {
  pod: string;
  /** The pod is ready. A report of a pod that is not counts only while no pod is, and if it could be read. */
  ready: boolean;
  status: WorkerStatus | Error;
}

export interface Streaming {
  finding: Finding;
  refused: { symbol: string; message: string }[];
  /** Null: no worker could be asked. */
  live: { tradesPerSecond: number; lastTradeTimeMs: number | null } | null;
}

// The CRD's bounds: more would be a page of its own in `kubectl describe`.
const refusedMax = 20;
const refusedNamedMax = 5;
const messageCharactersMax = 1024;

type SymbolReport = WorkerStatus['symbols'][number];

/** @param podCount pods of the feed, whether or not they could be asked */
export function judgeStreaming(symbols: string[], reports: WorkerReport[], podCount: number): Streaming {
  const { heard, statuses } = hear(reports);
  const reported = bySymbol(statuses);
  const refused = symbols.flatMap((symbol) => {
    const report = reported.get(symbol);
    return report?.state === 'refused' ? [{ symbol, message: report.message.slice(0, messageCharactersMax) }] : [];
  });
  const pending = symbols.filter((symbol) => (reported.get(symbol)?.state ?? 'pending') === 'pending');
  return {
    finding: judge(symbols, heard, statuses, refused, pending, podCount),
    refused: refused.slice(0, refusedMax),
    live: statuses.length === 0 ? null : liveOf(statuses),
  };
}

/** The reports that count, and what the workers among them said that could be asked. */
export function hear(reports: WorkerReport[]): { heard: WorkerReport[]; statuses: WorkerStatus[] } {
  const ready = reports.filter((report) => report.ready);
  const heard = ready.length > 0 ? ready : reports.filter(({ status }) => !(status instanceof Error));
  return { heard, statuses: heard.flatMap(({ status }) => (status instanceof Error ? [] : [status])) };
}

function judge(
  symbols: string[],
  heard: WorkerReport[],
  statuses: WorkerStatus[],
  refused: Streaming['refused'],
  pending: string[],
  podCount: number,
): Finding {
  if (heard.length === 0) {
    return { reason: 'NoWorker', seen: podCount === 0 ? 'There is no worker' : 'No worker runs yet' };
  }
  const [failed] = heard.flatMap(({ pod, status }) => (status instanceof Error ? [`${pod}: ${status.message}`] : []));
  if (failed !== undefined) return { reason: 'WorkerUnreachable', seen: `Cannot read the status of worker ${failed}` };
  if (refused.length === symbols.length) return refusal(refused, symbols.length);
  const silent = statuses.find(({ streaming }) => !streaming);
  if (silent) return { reason: 'NotStreaming', seen: silent.message || 'The worker does not stream' };
  if (refused.length > 0) return refusal(refused, symbols.length);
  if (pending.length > 0) {
    return { reason: 'SymbolsPending', seen: `${pending.length} of ${symbols.length} symbols are not subscribed yet` };
  }
  return { reason: 'AllSymbolsStreaming', seen: `All symbols are subscribed: ${symbols.length}` };
}

function refusal(refused: Streaming['refused'], total: number): Finding {
  const named = refused
    .slice(0, refusedNamedMax)
    .map(({ symbol, message }) => (message ? `${symbol} (${message})` : symbol));
  const more = refused.length > named.length ? `, and ${refused.length - named.length} more` : '';
  return {
    reason: 'SymbolsRefused',
    seen: `${refused.length} of ${total} symbols are refused: ${named.join(', ')}${more}`,
  };
}

/** While a rolling update overlaps, a symbol that one worker streams is streaming. */
function bySymbol(statuses: WorkerStatus[]): Map<string, SymbolReport> {
  const merged = new Map<string, SymbolReport>();
  for (const report of statuses.flatMap(({ symbols }) => symbols)) {
    if (merged.get(report.symbol)?.state !== 'subscribed') merged.set(report.symbol, report);
  }
  return merged;
}

function liveOf(statuses: WorkerStatus[]): Streaming['live'] {
  const times = statuses.flatMap(({ symbols }) => symbols.flatMap(({ lastTradeTimeMs }) => lastTradeTimeMs ?? []));
  return {
    tradesPerSecond: Math.round(statuses.reduce((sum, { tradesPerSecond }) => sum + tradesPerSecond, 0)),
    lastTradeTimeMs: times.length === 0 ? null : Math.max(...times),
  };
}
