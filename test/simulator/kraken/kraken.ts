// Kraken spot, WebSocket v2: the trade channel, its snapshots and heartbeats, and answers to what clients say.
// https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/trade
import { type Fill, fillsOf, newestFills } from '../fills.ts';
import { type Desk, type Message, type Protocol, readMessage, type Session, textsOf } from '../protocol.ts';
import { never } from '../settings.ts';
import { decimalsOf, fixedText, microsecondTime } from '../text.ts';
import type { Listing } from '../trades.ts';
import { krakenRest } from './rest.ts';

const symbolOf = ({ baseAsset, quoteAsset }: Listing) => `${baseAsset}/${quoteAsset}`;
const topicOf = (listing: Listing) => `trade ${symbolOf(listing)}`;
const priceText = ({ tickE8 }: Listing, priceE8: number) => fixedText(priceE8, decimalsOf(tickE8));
/** Quantities have the 8 decimals of the pair's lot. */
const quantityText = (quantityE8: number) => fixedText(quantityE8, 8);

function tradeText(listing: Listing, { id, priceE8, quantityE8, buyerIsMaker, timeUs, aggregateId }: Fill): string {
  // Numbers are bare and keep their zeros, so this is no JSON.stringify.
  return [
    `{"symbol":"${symbolOf(listing)}","side":"${buyerIsMaker ? 'sell' : 'buy'}"`,
    `"price":${priceText(listing, priceE8)},"qty":${quantityText(quantityE8)}`,
    `"ord_type":"${aggregateId % 3 === 0 ? 'market' : 'limit'}","trade_id":${id}`,
    `"timestamp":"${microsecondTime(timeUs)}"}`,
  ].join(',');
}

function frameOf(type: 'snapshot' | 'update', listing: Listing, fills: Fill[]) {
  const data = fills.map((fill) => tradeText(listing, fill)).join(',');
  const text = `{"channel":"trade","type":"${type}","data":[${data}]}`;
  return { text, firstId: fills[0]?.id ?? 0, trades: fills.length };
}

/** What every answer ends with, and the id where the request had one. */
function answer(desk: Desk, { req_id: id }: Message, fields: object): string {
  const time = microsecondTime(desk.nowUs());
  return JSON.stringify({ ...fields, ...(typeof id === 'number' && { req_id: id }), time_in: time, time_out: time });
}

function changeSubscription(desk: Desk, session: Session, message: Message, method: 'subscribe' | 'unsubscribe'): void {
  const params = (message.params ?? {}) as Message;
  const refuse = (error: string, symbol?: string) =>
    desk.say(session, answer(desk, message, { error, method, success: false, ...(symbol && { symbol }) }));
  if (params.channel !== 'trade') {
    refuse('Channel not supported');
    return;
  }
  const snapshot = params.snapshot !== false;
  for (const symbol of textsOf(params.symbol)) {
    const listing = method === 'subscribe' ? desk.subscribable(symbol) : desk.listing(symbol);
    const isSubscribed = listing !== undefined && session.topics.has(topicOf(listing));
    if (!listing) {
      refuse(`Currency pair not supported ${symbol}`, symbol);
    } else if (method === 'unsubscribe') {
      if (!isSubscribed) refuse('Subscription Not Found', symbol);
      else desk.say(session, answer(desk, message, { method, result: { channel: 'trade', symbol }, success: true }));
      desk.unsubscribe(session, topicOf(listing));
    } else if (isSubscribed) {
      refuse('Already subscribed', symbol);
    } else {
      desk.subscribe(session, topicOf(listing));
      desk.say(
        session,
        answer(desk, message, { method, result: { channel: 'trade', snapshot, symbol }, success: true }),
      );
      const past = snapshot ? newestFills(desk.market, listing.symbol, desk.settings.snapshotTrades) : [];
      if (past.length > 0) desk.sayTrades(session, listing, frameOf('snapshot', listing, past));
    }
  }
}

export const kraken: Protocol = {
  id: 'kraken',
  paths: ['/v2'],
  settings: {
    pingIntervalMs: never,
    lifetimeMs: never,
    // Not documented; public clients keep to 20.
    messagesPerSecondMax: 20,
    // Widely quoted.
    connectsMax: 150,
    connectWindowMs: 600_000,
    snapshotTrades: 50,
  },
  spelling: {
    symbol: symbolOf,
    id: String,
    price: priceText,
    quantity: (_, quantityE8) => quantityText(quantityE8),
  },
  rest: krakenRest,
  greet(desk, session) {
    // Beyond 2^53, as real ones are.
    const connectionId = 11_315_962_367_609_298_000n + BigInt(session.connection.id);
    const about = `"version":"2.0.10","system":"online","api_version":"v2","connection_id":${connectionId}`;
    desk.say(
      session,
      `{"channel":"status","type":"update","data":[{${about},"upcoming_maintenance":[],"emergency":[]}]}`,
    );
  },
  hear(desk, session, text) {
    const message = readMessage(text);
    const method = message?.method;
    if (!message) desk.say(session, answer(desk, {}, { error: 'Malformed request', success: false }));
    else if (method === 'ping') desk.say(session, answer(desk, message, { method: 'pong' }));
    else if (method === 'subscribe' || method === 'unsubscribe') changeSubscription(desk, session, message, method);
    else desk.say(session, answer(desk, message, { error: 'Method not supported', method, success: false }));
  },
  /** Once a second with any subscription. */
  beat(desk, session) {
    if (session.topics.size > 0) desk.say(session, '{"channel":"heartbeat"}');
  },
  notice: () => null,
  topics: (listing) => [topicOf(listing)],
  frames: (_, listing, order) => [frameOf('update', listing, fillsOf(order))],
};
