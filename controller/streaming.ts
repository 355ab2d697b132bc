// What the workers of all shards say of themselves, summed up: does every symbol of the feed stream? Pure.
import type { WorkerStatus } from '../api/worker-status.ts';
import type { Finding } from './errors.ts';

/** One worker's GET /status, or why it could not be read. */
export interface WorkerReport {
  pod: string;
  shard: number;
  /** The pod is ready. A report of a pod that is not counts only while no pod of its shard is. */
  ready: boolean;
  status: WorkerStatus | Error;
}

/** What counts of the reports of one shard: those of its owner, or of its standbys while nobody writes. */
export interface ShardReport {
  shard: number;
  /** Null: only standbys were heard. */
  owners: WorkerStatus[] | null;
  standbys: { pod: string; ready: boolean; status: WorkerStatus }[];
  /** Why a ready worker could not be asked, if no owner was heard. */
  unreachable: string | null;
}

export interface Streaming {
  finding: Finding;
  refused: { symbol: string; message: string }[];
  /** Null: no worker could be asked. */
  live: { tradesPerSecond: number; lastTradeTimeMs: number | null } | null;
}

export interface StreamingQuestion {
  symbols: string[];
  /** How many there should be. */
  shards: number;
  reports: ShardReport[];
  /** Shards that have had no owner for so long that no hand-over explains it. */
  ownerless: readonly number[];
  /** A feed that is Ready stays so through a hand-over; one that is not becomes Ready only with an owner everywhere. */
  wasReady: boolean;
  /** Pods of the feed, whether or not they could be asked. */
  podCount: number;
}

// The CRD's bounds: more would be a page of its own in `kubectl describe`.
const refusedMax = 20;
const messageCharactersMax = 1024;
// One sentence.
const symbolsNamedMax = 5;

type SymbolReport = WorkerStatus['symbols'][number];

export function judgeStreaming(question: StreamingQuestion): Streaming {
  const { symbols, reports } = question;
  const statuses = reports.flatMap(statusesOf);
  const reported = bySymbol(statuses);
  const refused = symbols.flatMap((symbol) => {
    const report = reported.get(symbol);
    return report?.state === 'refused' ? [{ symbol, message: report.message.slice(0, messageCharactersMax) }] : [];
  });
  const pending = symbols.filter((symbol) => (reported.get(symbol)?.state ?? 'pending') === 'pending');
  const silent = symbols.filter((symbol) => reported.get(symbol)?.continuity?.silent);
  return {
    finding: judge(question, refused, pending, silent),
    refused: refused.slice(0, refusedMax),
    live: statuses.length === 0 ? null : liveOf(reports.flatMap(({ owners }) => owners ?? [])),
  };
}

/** Sorts reports by shard. Workers of older versions, and those that write at least once, all write. */
export function hear(reports: WorkerReport[]): ShardReport[] {
  const shards = [...Map.groupBy(reports, ({ shard }) => shard)];
  return shards.map(([shard, own]) => {
    const readable = own.flatMap(({ pod, ready, status }) => (status instanceof Error ? [] : [{ pod, ready, status }]));
    const owners = preferReady(readable.filter(({ status }) => status.role !== 'standby'));
    const failed = own.find(({ ready, status }) => ready && status instanceof Error);
    return {
      shard,
      owners: owners.length === 0 ? null : owners.map(({ status }) => status),
      standbys: preferReady(readable.filter(({ status }) => status.role === 'standby')),
      unreachable: owners.length === 0 && failed?.status instanceof Error ? wordsOf(failed.pod, failed.status) : null,
    };
  });
}

/** Shards whose workers are ready, and none of them writes. */
export function ownerlessShards(reports: ShardReport[], shards: number): number[] {
  return reports
    .filter(({ owners, standbys, unreachable }) => owners === null && unreachable === null && standbys[0]?.ready)
    .map(({ shard }) => shard)
    .filter((shard) => shard < shards);
}

const wordsOf = (pod: string, error: Error): string => `Cannot read the status of worker ${pod}: ${error.message}`;

function preferReady<T extends { ready: boolean }>(workers: T[]): T[] {
  const ready = workers.filter((worker) => worker.ready);
  return ready.length > 0 ? ready : workers;
}

const statusesOf = ({ owners, standbys }: ShardReport): WorkerStatus[] =>
  owners ?? standbys.map(({ status }) => status);

function judge(
  question: StreamingQuestion,
  refused: Streaming['refused'],
  pending: string[],
  silent: string[],
): Finding {
  const { symbols, shards } = question;
  const reports = question.reports.filter(({ shard }) => shard < shards);
  if (refused.length === symbols.length) return refusal(refused, symbols.length);
  const stuck = reports.find(isStuck);
  if (stuck) return { reason: 'NotStreaming', seen: `${shardWords(stuck, shards)}${messageOf(stuck)}` };
  // Its standby, if one was heard, does not know whether anything is missing.
  const unreachable = reports.find((report) => report.unreachable !== null)?.unreachable;
  if (unreachable) return { reason: 'WorkerUnreachable', seen: unreachable };
  const ownerless = explainOwnerless(question, reports);
  if (ownerless) return ownerless;
  if (pending.length > 0) {
    const unheard = explainUnheard(question, reports);
    if (unheard) return unheard;
  }
  if (silent.length > 0) {
    const seen = `${silent.length} of ${symbols.length} symbols are silent while they trade: ${named(silent)}`;
    return { reason: 'SymbolsSilent', seen };
  }
  if (refused.length > 0) return refusal(refused, symbols.length);
  if (pending.length > 0) {
    const seen = `${pending.length} of ${symbols.length} symbols are not subscribed yet: ${named(pending)}`;
    return { reason: 'SymbolsPending', seen };
  }
  return { reason: 'AllSymbolsStreaming', seen: `All symbols are subscribed: ${symbols.length}` };
}

/** A standby that is ready waits for its turn, which is as it should be; one that is not has a problem. */
function isStuck({ owners, standbys }: ShardReport): boolean {
  if (owners !== null) return owners.some(({ streaming }) => !streaming);
  return standbys.length > 0 && standbys.every(({ ready }) => !ready);
}

function messageOf(report: ShardReport): string {
  const silent = statusesOf(report).find(({ streaming }) => !streaming);
  return silent?.message || 'The worker does not stream';
}

const shardWords = ({ shard }: ShardReport, shards: number): string => (shards === 1 ? '' : `Shard ${shard}: `);

function explainOwnerless({ shards, ownerless, wasReady }: StreamingQuestion, reports: ShardReport[]): Finding | null {
  const now = ownerlessShards(reports, shards);
  const shard = now.find((it) => ownerless.includes(it)) ?? (wasReady ? undefined : now[0]);
  const report = reports.find((it) => it.shard === shard);
  if (report === undefined || shard === undefined) return null;
  const seen = `Nobody writes the symbols of shard ${shard}: ${report.standbys[0]?.pod} says "${messageOf(report)}"`;
  return { reason: ownerless.includes(shard) ? 'NoOwner' : 'SymbolsPending', seen };
}

/** Why nothing is known of some symbols. */
function explainUnheard({ shards, podCount }: StreamingQuestion, reports: ShardReport[]): Finding | null {
  const heard = reports.filter((report) => statusesOf(report).length > 0).map(({ shard }) => shard);
  if (heard.length === 0) {
    return { reason: 'NoWorker', seen: podCount === 0 ? 'The feed has no worker' : 'No worker of the feed runs yet' };
  }
  const missing = Array.from({ length: shards }, (_, shard) => shard).find((shard) => !heard.includes(shard));
  return missing === undefined ? null : { reason: 'NoWorker', seen: `No worker of shard ${missing} runs yet` };
}

function refusal(refused: Streaming['refused'], total: number): Finding {
  const words = refused.map(({ symbol, message }) => (message ? `${symbol} (${message})` : symbol));
  return { reason: 'SymbolsRefused', seen: `${refused.length} of ${total} symbols are refused: ${named(words)}` };
}

function named(symbols: string[]): string {
  const more = symbols.length > symbolsNamedMax ? `, and ${symbols.length - symbolsNamedMax} more` : '';
  return `${symbols.slice(0, symbolsNamedMax).join(', ')}${more}`;
}

/** While workers or shards change, a symbol that one worker streams is streaming. */
function bySymbol(statuses: WorkerStatus[]): Map<string, SymbolReport> {
  const merged = new Map<string, SymbolReport>();
  for (const report of statuses.flatMap(({ symbols }) => symbols)) {
    if (merged.get(report.symbol)?.state !== 'subscribed') merged.set(report.symbol, report);
  }
  return merged;
}

/** Of owners: a standby reads the same trades. */
function liveOf(statuses: WorkerStatus[]): Streaming['live'] {
  const times = statuses.flatMap(({ symbols }) => symbols.flatMap(({ lastTradeTimeMs }) => lastTradeTimeMs ?? []));
  return {
    tradesPerSecond: Math.round(statuses.reduce((sum, { tradesPerSecond }) => sum + tradesPerSecond, 0)),
    lastTradeTimeMs: times.length === 0 ? null : Math.max(...times),
  };
}
