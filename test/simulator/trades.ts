// Trades out of nothing but (seed, symbol, id): pure functions, so any trade can be asked for again at any time.
// Ids come in blocks of 32 trades that 12 taker orders fill; that fixed ratio is what makes aggregate ids computable,
// too.

export interface Listing {
  symbol: string;
  baseAsset: string;
  quoteAsset: string;
  status: 'TRADING' | 'HALT' | 'BREAK';
  /** Price steps, quantity steps and the price around which it walks, each times 10^8. */
  tickE8: number;
  stepE8: number;
  priceE8: number;
}

/**
 * One taker order at one price: what Binance calls an aggregate trade. Trade ids run from `firstId`, one per quantity.
 */
export interface TakerOrder {
  aggregateId: number;
  firstId: number;
  priceE8: number;
  quantitiesE8: number[];
  buyerIsMaker: boolean;
}

const blockTrades = 32;
const blockOrders = 12;

/** 32 well-mixed bits out of three integers (the finalizer of MurmurHash3, twice). */
function hash(seed: number, a: number, b: number): number {
  let h = seed ^ Math.imul(a | 0, 0x9e3779b1) ^ Math.imul((a / 0x100000000) | 0, 0x85ebca77);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) ^ Math.imul(b, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A seed of 32 bits for one symbol of one simulation. */
export function symbolSeed(seed: string, symbol: string): number {
  let h = 0x811c9dc5;
  for (const char of `${seed}\n${symbol}`) h = Math.imul(h ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return h >>> 0;
}

/** A number in [0, 1), the same for the same three. */
export const draw = (seed: number, a: number, b: number): number => hash(seed, a, b) / 0x100000000;

/** The block a simulation starts with: ids of nine or ten digits, as long-lived symbols have them. */
export function firstBlock(seed: number): number {
  return 10_000_000 + (hash(seed, 1, 1) % 100_000_000);
}

export const blockOf = (id: number): number => Math.floor(id / blockTrades);
export const blockOfAggregate = (aggregateId: number): number => Math.floor(aggregateId / blockOrders);
export const firstIdOf = (block: number): number => block * blockTrades;
export const firstAggregateIdOf = (block: number): number => block * blockOrders;

/** A number in (0, 1], the same for the same order: scales the wait before it. */
export function waitFraction(seed: number, aggregateId: number): number {
  return (hash(seed, aggregateId, 2) + 1) / 0x100000000;
}

/** A number in [0, 1000), the same for the same trade: by how many microseconds its event is later than the trade. */
export const eventDelayUs = (id: number): number => 100 + (hash(0, id, 3) % 900);

/**
 * The price walks like noise summed over 16 octaves: small steps between blocks, within 1.3 % of the listed price for
 * ever.
 */
function walk(seed: number, block: number): number {
  let sum = 0;
  let amplitude = 0.00004;
  for (let octave = 0; octave < 16; octave++) {
    const period = 2 ** octave;
    const from = Math.floor(block / period);
    const part = (block - from * period) / period;
    const left = hash(seed, from, 16 + octave) / 0x100000000;
    const right = hash(seed, from + 1, 16 + octave) / 0x100000000;
    sum += (left + (right - left) * part - 0.5) * amplitude;
    amplitude *= Math.SQRT2;
  }
  return sum;
}

/** Where the 12 orders of a block begin, as offsets into its 32 trades: 0 and 11 distinct others, ascending. */
function orderStarts(seed: number, block: number): number[] {
  const starts = new Set([0]);
  for (let draw = 0; starts.size < blockOrders; draw++) starts.add(hash(seed, block, 1000 + draw) % blockTrades);
  return [...starts].sort((a, b) => a - b);
}

/**
 * Most fills are the least lot or a few of it, some are thousands: about 1 : 10,000 between the tenth and the last
 * percentile.
 */
function quantity(seed: number, id: number, stepE8: number): number {
  const draw = hash(seed, id, 4);
  const magnitude = Math.min(draw % 15, (draw >>> 8) % 15);
  return stepE8 * (2 ** magnitude + ((draw >>> 16) % 2 ** magnitude));
}

/** The 12 taker orders of one block, in the order of their ids. */
export function takerOrders(seed: number, listing: Listing, block: number): TakerOrder[] {
  const ticks = listing.priceE8 / listing.tickE8;
  const from = ticks * (1 + walk(seed, block));
  const to = ticks * (1 + walk(seed, block + 1));
  const starts = orderStarts(seed, block);
  return starts.map((start, index) => {
    const aggregateId = block * blockOrders + index;
    const firstId = block * blockTrades + start;
    const draw = hash(seed, aggregateId, 5);
    const end = starts[index + 1] ?? blockTrades;
    const priceTicks = Math.round(from + ((to - from) * index) / blockOrders) + (draw % 3) - 1;
    return {
      aggregateId,
      firstId,
      priceE8: Math.max(1, priceTicks) * listing.tickE8,
      quantitiesE8: Array.from({ length: end - start }, (_, fill) => quantity(seed, firstId + fill, listing.stepE8)),
      buyerIsMaker: (draw >>> 8) % 2 === 0,
    };
  });
}
