// What must hold of any answer of a parser, whatever the frame was: held against the frame as JSON.parse reads it, so
// nothing here shares a line with the parsers.
import type { Parsed } from '../../worker/exchanges/exchange.ts';
import type { Trade } from '../../worker/trade.ts';

const plainDecimal = /^(?=.{1,64}$)\d+(\.\d+)?$/;
const idCharacters = /^[\w-]{1,64}$/;
/** The end of JavaScript's own dates, milliseconds. */
const timeMsMax = 8_640_000_000_000_000;

const isOrderId = (id: number | null) => id === null || (Number.isSafeInteger(id) && id >= 0);

/** @returns what is wrong with the answer; null: nothing */
export function judge(frame: Buffer, parsed: Parsed): string | null {
  switch (parsed.kind) {
    case 'trades':
      return judgeTrades(frame, parsed.trades);
    case 'unreadable':
    case 'notice':
      return parsed.why === '' || typeof parsed.why !== 'string' ? 'no reason' : null;
    case 'rejected':
      return typeof parsed.why === 'string' ? judgeAnswer(parsed) : 'no reason';
    case 'subscribed':
      return judgeAnswer(parsed);
    case 'ignored':
      return typeof parsed.what === 'string' ? null : 'ignored, but not what';
    case 'heartbeat':
      return null;
    default:
      return `no such kind: ${JSON.stringify(parsed)}`;
  }
}

function judgeAnswer({ requestId, symbols }: Extract<Parsed, { kind: 'rejected' | 'subscribed' }>): string | null {
  if (requestId !== null && typeof requestId !== 'string') return 'requestId is no text';
  return symbols === null || symbols.every((symbol) => typeof symbol === 'string') ? null : 'a symbol is no text';
}

function judgeTrades(frame: Buffer, trades: readonly Trade[]): string | null {
  if (trades.length === 0) return 'trades, but none';
  const texts = textsByObject(frame.toString());
  if (texts === null) return 'trades of a frame that is not JSON';
  for (const trade of trades) {
    const why = judgeTrade(trade);
    if (why !== null) return why;
    const said = [trade.symbol, trade.tradeId, trade.price, trade.quantity];
    if (texts.length > 0 && !texts.some((one) => said.every((text) => one.has(text))))
      return `no object says ${said.join(', ')}`;
  }
  return null;
}

function judgeTrade(trade: Trade): string | null {
  const { symbol, tradeId, price, quantity, side, exchangeTimeMs, sequenceNumber, isBuyerMaker } = trade;
  if (typeof symbol !== 'string' || symbol === '') return `symbol ${symbol}`;
  if (typeof tradeId !== 'string' || !idCharacters.test(tradeId)) return `tradeId ${tradeId}`;
  if (typeof price !== 'string' || !plainDecimal.test(price)) return `price ${price}`;
  if (typeof quantity !== 'string' || !plainDecimal.test(quantity)) return `quantity ${quantity}`;
  if (side !== 'BUY' && side !== 'SELL') return `side ${side}`;
  if (isBuyerMaker !== null && isBuyerMaker !== (side === 'SELL')) return `side ${side}, isBuyerMaker ${isBuyerMaker}`;
  const isTime = Number.isSafeInteger(exchangeTimeMs) && exchangeTimeMs >= 0 && exchangeTimeMs <= timeMsMax;
  if (!isTime) return `exchangeTimeMs ${exchangeTimeMs}`;
  if (!isOrderId(sequenceNumber)) return `sequenceNumber ${sequenceNumber}`;
  if (!isOrderId(trade.buyerOrderId)) return `buyerOrderId ${trade.buyerOrderId}`;
  return isOrderId(trade.sellerOrderId) ? null : `sellerOrderId ${trade.sellerOrderId}`;
}

/**
 * What each object of the frame says in its own fields: texts, and numbers both as written and in plain digits.
 * @returns null: not JSON; none: JSON that nests too deep to be walked through
 */
function textsByObject(frame: string): Set<string>[] | null {
  const objects = new Map<object, Set<string>>();
  // The third argument has a value's source: https://github.com/tc39/proposal-json-parse-with-source
  function collect(this: object, _name: string, value: unknown, context?: { source?: string }): unknown {
    const text = typeof value === 'string' ? value : context?.source;
    if (text !== undefined) {
      const texts = objects.get(this) ?? new Set();
      objects.set(this, texts.add(text));
      if (Number.isSafeInteger(value)) texts.add(String(value));
    }
    return value;
  }
  try {
    JSON.parse(frame, collect);
    return [...objects.values()];
  } catch (error) {
    return error instanceof RangeError ? [] : null;
  }
}
