// Asks the exchange's REST interface which symbols exist and of which assets, and goes on asking for those that do not.
import type { BackoffLimits } from '../runtime/backoff.ts';
import type { Exchange, Listing } from './exchanges/exchange.ts';
import { get } from './rest.ts';
import { messageOf, retryDelayMs, sleep } from './retry.ts';

const failureLimits: BackoffLimits = { delayMsBase: 500, delayMsMax: 30_000 };

/** A symbol is listed perhaps once a day: often enough to notice soon, seldom enough to cost nothing. */
const unlistedLimits: BackoffLimits = { delayMsBase: 60_000, delayMsMax: 600_000 };

/** Requests of one round, rounds being a minute apart: a third of the strictest exchange's budget. */
const requestsMax = 100;

export interface Round {
  listed: Listing[];
  unlisted: string[];
  /** Why the exchange could not be asked, one sentence; null when it could. */
  problem: string | null;
}

export interface WatchOptions {
  listing: Exchange['listing'];
  restUrl: string;
  symbols: string[];
  /** A number in [0, 1). */
  random: () => number;
}

/** Round after round until every symbol is listed, or the signal aborted. Only unlisted ones are asked for again. */
export async function* watchListings(options: WatchOptions, signal: AbortSignal): AsyncGenerator<Round> {
  const { random } = options;
  let asked = options.symbols;
  let failures = 0;
  let rounds = 0;
  while (asked.length > 0 && !signal.aborted) {
    let delayMs: number;
    try {
      const round = await askListings(options.listing, options.restUrl, asked, signal);
      const listed = new Set(round.listed.map(({ symbol }) => symbol));
      asked = asked.filter((symbol) => !listed.has(symbol));
      failures = 0;
      delayMs = retryDelayMs(null, ++rounds, { limits: unlistedLimits, random });
      yield { ...round, problem: null };
    } catch (error) {
      if (signal.aborted) return;
      delayMs = retryDelayMs(error, ++failures, { limits: failureLimits, random });
      yield { listed: [], unlisted: [], problem: `cannot list symbols at ${options.restUrl}: ${messageOf(error)}` };
    }
    if (asked.length > 0) await sleep(delayMs, signal);
  }
}

/**
 * One round. Where the exchange only says that some symbol of a request does not exist, its halves are asked for; what
 * the round's requests do not suffice for is in neither list.
 * @throws Error when the exchange cannot be asked, RetryLaterError when it says when
 */
export async function askListings(
  listing: Exchange['listing'],
  restUrl: string,
  symbols: string[],
  signal: AbortSignal,
): Promise<Pick<Round, 'listed' | 'unlisted'>> {
  const listed: Listing[] = [];
  const unlisted: string[] = [];
  const parts: string[][] = [];
  for (let at = 0; at < symbols.length; at += listing.symbolsPerRequestMax) {
    parts.push(symbols.slice(at, at + listing.symbolsPerRequestMax));
  }
  for (let requests = 0; requests < requestsMax; requests++) {
    const part = parts.shift();
    if (!part) break;
    const { status, body } = await get(listing.requestUrl(restUrl, part), signal);
    const answer = listing.parse(status, body);
    if (answer.kind === 'failed') throw new Error(answer.why);
    if (answer.kind === 'listed') {
      const found = answer.listings.filter(({ symbol }) => part.includes(symbol));
      listed.push(...found);
      unlisted.push(...part.filter((symbol) => !found.some((entry) => entry.symbol === symbol)));
    } else if (part.length === 1) {
      unlisted.push(...part);
    } else {
      const half = Math.ceil(part.length / 2);
      parts.push(part.slice(0, half), part.slice(half));
    }
  }
  return { listed, unlisted };
}
