// The live figures of a feed's status, from what its workers said. Pure.
import type { ExchangeFeedStatus } from '../api/exchange-feed.ts';
import type { Totals } from './completeness.ts';
import { hourShare, type LastHour, sinceStartShare } from './last-hour.ts';
import type { Streaming } from './streaming.ts';

type Live = NonNullable<ExchangeFeedStatus['live']>;

export interface LiveQuestion {
  previous: ExchangeFeedStatus;
  hour: LastHour | null;
  /** The clock of `hour`, milliseconds. */
  monotonicMs: number;
}

/**
 * A worker that was restarted, or is away, has no newer trade to tell of than the one before.
 * @param rate null: no worker could be asked
 * @param totals null: no worker that writes could be asked
 */
export function liveOf(question: LiveQuestion, rate: Streaming['live'], totals: Totals | null): Live | undefined {
  const previous = question.previous.live;
  if (rate === null && previous === undefined) return undefined;
  const { tradesPerSecond, lastTradeTimeMs } = rate ?? { tradesPerSecond: 0, lastTradeTimeMs: null };
  const newest = Math.max(lastTradeTimeMs ?? 0, Date.parse(previous?.lastTradeTime ?? '') || 0);
  return {
    tradesPerSecond,
    ...(newest > 0 && { lastTradeTime: new Date(newest).toISOString().replace(/\.\d+Z$/, 'Z') }),
    ...(totals && { ...sharesOf(question, totals), ...countsOf(totals) }),
  };
}

function countsOf({ missing, repaired, duplicates, gaps }: Totals): Partial<Live> {
  return { missing, repaired, duplicates, gaps };
}

/** While a symbol moves between shards nobody tells of it, so the figures stay as they are. */
function sharesOf({ previous, hour, monotonicMs }: LiveQuestion, totals: Totals): Partial<Live> {
  if (!totals.isProvable) return { completeness: 'unknown', completenessSinceStart: 'unknown' };
  const { completeness, completenessSinceStart } = previous.live ?? {};
  const isTold = totals.isWhole && hour !== null;
  const lastHour = isTold ? text(hourShare(hour, totals, monotonicMs)) : completeness;
  const sinceStart = isTold ? text(sinceStartShare(hour, totals)) : completenessSinceStart;
  return {
    ...(lastHour !== undefined && { completeness: lastHour }),
    ...(sinceStart !== undefined && { completenessSinceStart: sinceStart }),
  };
}

const text = (share: number | null): string | undefined => (share === null ? undefined : `${share}%`);
