// Bybit v5 spot: the topic publicTrade, and the pings that clients send as JSON.
// https://bybit-exchange.github.io/docs/v5/websocket/public/trade
import { fillsOf } from '../fills.ts';
import { type Message, type Protocol, readMessage, type Session, textsOf } from '../protocol.ts';
import { never } from '../settings.ts';
import { shortText } from '../text.ts';
import type { Listing } from '../trades.ts';
import { bybitRest } from './rest.ts';
import { idText, sequenceOf, sideText, symbolOf } from './spelling.ts';

const topicOf = (listing: Listing) => `publicTrade.${symbolOf(listing)}`;
const argsMax = 10;

/** With the request's id where it had one. */
function answer(session: Session, { req_id: id, op }: Message, isSuccess: boolean, text: string): string {
  const about = { conn_id: `simulated-${session.connection.id}`, ...(typeof id === 'string' && { req_id: id }), op };
  return JSON.stringify({ success: isSuccess, ret_msg: text, ...about });
}

export const bybit: Protocol = {
  id: 'bybit',
  paths: ['/v5/public/spot'],
  settings: {
    pingIntervalMs: never,
    lifetimeMs: never,
    // Not documented.
    messagesPerSecondMax: 100,
    connectsMax: 500,
    connectWindowMs: 300_000,
    // Without a ping it is cut after about 10 minutes.
    clientSilenceMs: 600_000,
  },
  spelling: {
    symbol: symbolOf,
    id: idText,
    price: (_, priceE8) => shortText(priceE8),
    quantity: (_, quantityE8) => shortText(quantityE8),
  },
  rest: bybitRest,
  hear(desk, session, text) {
    const message = readMessage(text);
    if (message?.op === 'ping') {
      desk.say(session, answer(session, message, true, 'pong'));
    } else if (message?.op === 'subscribe' || message?.op === 'unsubscribe') {
      const isSubscribe = message.op === 'subscribe';
      const topics = textsOf(message.args);
      const wrong = topics.filter((topic) => {
        const symbol = topic.startsWith('publicTrade.') ? topic.slice('publicTrade.'.length) : '';
        return !(isSubscribe ? desk.subscribable(symbol) : desk.listing(symbol));
      });
      // One that is wrong fails all of the request.
      const why = topics.length > argsMax ? `args size >${argsMax}` : `Invalid symbol :[${wrong.join(',')}]`;
      const isRight = topics.length <= argsMax && wrong.length === 0;
      for (const topic of isRight ? topics : []) {
        if (isSubscribe) desk.subscribe(session, topic);
        else desk.unsubscribe(session, topic);
      }
      desk.say(session, answer(session, message, isRight, isRight ? message.op : why));
    } else {
      desk.say(session, answer(session, message ?? {}, false, 'Invalid request'));
    }
  },
  notice: () => null,
  topics: (listing) => [topicOf(listing)],
  /** All trades of an order in one frame, with one sequence; `ts` is never before them. */
  frames(topic, listing, order, nowUs) {
    const symbol = symbolOf(listing);
    const timeMs = Math.floor(order.timeUs / 1000);
    const data = fillsOf(order).map(({ id, priceE8, quantityE8, buyerIsMaker, aggregateId }) => ({
      ...{ i: idText(id), T: timeMs, p: shortText(priceE8), v: shortText(quantityE8), S: sideText(buyerIsMaker) },
      ...{ seq: sequenceOf(aggregateId), s: symbol, BT: false, RPI: false },
    }));
    const text = JSON.stringify({ topic, ts: Math.max(timeMs, Math.floor(nowUs / 1000)), type: 'snapshot', data });
    return [{ text, firstId: order.firstId, trades: data.length }];
  },
};
