// OKX v5 spot: the channels trades-all (business address) and trades (public address), text pings, notices.
// https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-all-trades-channel
import { type Fill, fillsOf, newestFills } from '../fills.ts';
import { type Desk, listOf, type Message, type Protocol, readMessage, type Session } from '../protocol.ts';
import { never } from '../settings.ts';
import { shortText } from '../text.ts';
import type { Listing } from '../trades.ts';
import { okxRest, tradeFields } from './rest.ts';

/** Which channel is where. */
const channelOf = (path: string) => (path.endsWith('/business') ? 'trades-all' : 'trades');
const symbolOf = ({ baseAsset, quoteAsset }: Listing) => `${baseAsset}-${quoteAsset}`;
const topicOf = (channel: string, listing: Listing) => `${channel} ${symbolOf(listing)}`;
const connectionId = ({ connection }: Session) => connection.id.toString(16).padStart(8, '0');

const push = (channel: string, listing: Listing, data: object) =>
  JSON.stringify({ arg: { channel, instId: symbolOf(listing) }, data: [data] });

/** One push for each trade. */
const single = (listing: Listing, fill: Fill) => ({
  text: push('trades-all', listing, tradeFields(symbolOf(listing), fill)),
  firstId: fill.id,
  trades: 1,
});

/** All trades of an order at one price in one push, under the id of the last one. */
function merged(listing: Listing, fills: Fill[]) {
  const last = fills.at(-1);
  if (!last) return [];
  const quantityE8 = fills.reduce((sum, fill) => sum + fill.quantityE8, 0);
  const data = {
    ...tradeFields(symbolOf(listing), { ...last, quantityE8 }),
    ...{ count: String(fills.length), source: '0', seqId: 80_000_000_000 + last.aggregateId },
  };
  return [{ text: push('trades', listing, data), firstId: fills[0]?.id ?? last.id, trades: fills.length }];
}

function framesOf(channel: string, listing: Listing, fills: Fill[]) {
  return channel === 'trades-all' ? fills.map((fill) => single(listing, fill)) : merged(listing, fills);
}

function subscribe(desk: Desk, session: Session, message: Message, arg: unknown): void {
  const { channel, instId } = (arg ?? {}) as Message;
  const about = { connId: connectionId(session), ...(typeof message.id === 'string' && { id: message.id }) };
  const listing = typeof instId === 'string' ? desk.subscribable(instId) : undefined;
  if (channel !== channelOf(session.path) || !listing) {
    const what = `Wrong URL or channel:${channel},instId:${instId} doesn't exist.`;
    const msg = `${what} Please use the correct URL, channel and parameters referring to API document.`;
    desk.say(session, JSON.stringify({ event: 'error', msg, code: '60018', ...about }));
    return;
  }
  const topic = topicOf(channelOf(session.path), listing);
  const isNew = !session.topics.has(topic);
  desk.subscribe(session, topic);
  // Repeating is acknowledged again, without an error.
  desk.say(session, JSON.stringify({ event: 'subscribe', arg: { channel, instId }, ...about }));
  if (!isNew) return;
  const past = newestFills(desk.market, listing.symbol, desk.settings.snapshotTrades);
  for (const frame of framesOf(channelOf(session.path), listing, past)) desk.sayTrades(session, listing, frame);
}

function unsubscribe(desk: Desk, session: Session, arg: unknown): void {
  const { channel, instId } = (arg ?? {}) as Message;
  const listing = typeof instId === 'string' ? desk.listing(instId) : undefined;
  if (listing) desk.unsubscribe(session, topicOf(String(channel), listing));
  desk.say(session, JSON.stringify({ event: 'unsubscribe', arg: { channel, instId }, connId: connectionId(session) }));
}

export const okx: Protocol = {
  id: 'okx',
  paths: ['/ws/v5/business', '/ws/v5/public'],
  settings: {
    pingIntervalMs: never,
    lifetimeMs: never,
    messagesPerSecondMax: 100,
    connectsMax: 3,
    connectWindowMs: 1000,
    // "If there's no data pushed within 30 seconds": pongs are data, too.
    sendSilenceMs: 30_000,
    // Met by clients: "No data received in 30s".
    silenceCode: 4004,
    snapshotTrades: 1,
  },
  spelling: {
    symbol: symbolOf,
    id: String,
    price: (_, priceE8) => shortText(priceE8),
    quantity: (_, quantityE8) => shortText(quantityE8),
  },
  rest: okxRest,
  hear(desk, session, text) {
    if (text === 'ping') {
      desk.say(session, 'pong');
      return;
    }
    const message = readMessage(text);
    if (message?.op === 'subscribe') for (const arg of listOf(message.args)) subscribe(desk, session, message, arg);
    else if (message?.op === 'unsubscribe') for (const arg of listOf(message.args)) unsubscribe(desk, session, arg);
    else {
      const msg = `Invalid request: ${text}`;
      desk.say(session, JSON.stringify({ event: 'error', msg, code: '60012', connId: connectionId(session) }));
    }
  },
  /** Documented for the public address, not for the business one. */
  notice(session) {
    if (channelOf(session.path) === 'trades-all') return null;
    const msg = 'The connection will soon be closed for a service upgrade. Please reconnect.';
    return JSON.stringify({ event: 'notice', code: '64008', msg, connId: connectionId(session) });
  },
  topics: (listing) => [topicOf('trades-all', listing), topicOf('trades', listing)],
  frames: (topic, listing, order) => framesOf(topic.split(' ')[0] ?? '', listing, fillsOf(order)),
};
