// Asks the exchange's REST interface for trades that the stream did not bring: one request at a time, within the
// exchange's budget, for as long as something is missing. What to ask for and what to write is decided in symbols.ts.
import type { BackoffLimits } from '../runtime/backoff.ts';
import type { Budget } from './budget.ts';
import type { Backfill, BackfilledTrade } from './exchanges/exchange.ts';
import { get } from './rest.ts';
import { messageOf, retryDelayMs, sleep } from './retry.ts';
import type { Job, Symbols } from './symbols.ts';

/** How often it is looked for work, milliseconds: gaps are seconds old when they are asked for. */
const pollMs = 250;

/** While the exchange's REST interface cannot be asked at all. */
const failureLimits: BackoffLimits = { delayMsBase: 1000, delayMsMax: 60_000 };

export interface Page {
  job: Job;
  trades: BackfilledTrade[];
}

export interface BackfillOptions {
  /** Null: the exchange has no history, so every gap is lost. */
  backfill: Backfill | null;
  restUrl: string;
  symbols: Symbols;
  budget: Budget;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
  /** Called with each request's outcome; `why` is one sentence, null: it brought trades or the proof of none. */
  onAnswer: (job: Job, why: string | null) => void;
}

/** The answers, each to be given to symbols.fill() before the next is asked for. Ends when the signal is aborted. */
export async function* backfillGaps(options: BackfillOptions, signal: AbortSignal): AsyncGenerator<Page> {
  const { backfill, symbols, budget, monotonicMs, random, onAnswer } = options;
  let failures = 0;
  while (!signal.aborted) {
    const job = symbols.job(monotonicMs());
    if (job === null) {
      await sleep(pollMs, signal);
      continue;
    }
    if (backfill === null) {
      symbols.giveUp(job, 'the exchange has no history to ask', monotonicMs());
      continue;
    }
    await sleep(budget.delayMs(monotonicMs()), signal);
    if (signal.aborted) return;
    budget.take(monotonicMs());
    try {
      const { status, body } = await get(backfill.requestUrl(options.restUrl, job.range), signal);
      failures = 0;
      const answer = backfill.parse(job.entry.listing, status, body);
      onAnswer(job, answer.kind === 'failed' ? answer.why : null);
      if (answer.kind === 'trades') yield { job, trades: answer.trades };
      else symbols.fail(job, answer.why, monotonicMs(), random());
    } catch (error) {
      if (signal.aborted) return;
      onAnswer(job, messageOf(error));
      symbols.fail(job, messageOf(error), monotonicMs(), random());
      await sleep(retryDelayMs(error, ++failures, { limits: failureLimits, random }), signal);
    }
  }
}
