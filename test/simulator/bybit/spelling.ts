// How Bybit writes symbols, ids and sides, in frames and REST alike.
import type { Listing } from '../trades.ts';

export const symbolOf = (listing: Listing): string => `${listing.baseAsset}${listing.quoteAsset}`;

const firstId = 2_290_000_000_000_000_000n;
/** Ids are shared between symbols, so that a symbol's own have holes: three after every 32. */
const holeEvery = 32;
const holeSize = 3;

/** Beyond 2^53. */
export const idText = (id: number): string => String(firstId + BigInt(id + Math.floor(id / holeEvery) * holeSize));

/** One for all trades of an order. */
export const sequenceOf = (aggregateId: number): number => 112_000_000_000 + aggregateId;

export const sideText = (buyerIsMaker: boolean): string => (buyerIsMaker ? 'Sell' : 'Buy');
