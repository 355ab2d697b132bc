// Coinbase Exchange: the channels matches and heartbeat. Its side is the maker's.
// https://docs.cdp.coinbase.com/exchange/websocket-feed/channels
import { type Fill, fillsOf, newestFills } from '../fills.ts';
import { type Desk, listOf, type Message, type Protocol, readMessage, type Session, textsOf } from '../protocol.ts';
import { never } from '../settings.ts';
import { microsecondTime, shortText, uuid } from '../text.ts';
import type { Listing } from '../trades.ts';
import { coinbaseRest } from './rest.ts';

const channels = ['matches', 'heartbeat'];
const symbolOf = ({ baseAsset, quoteAsset }: Listing) => `${baseAsset}-${quoteAsset}`;
const topicOf = (channel: string, listing: Listing) => `${channel} ${symbolOf(listing)}`;

/** It counts all events of a product, most of which are not sent here: it rises by 13 from trade to trade. */
const sequenceOf = (id: number) => 100_000_000_000 + id * 13;

function matchFrame(type: 'match' | 'last_match', listing: Listing, fill: Fill) {
  const { id, priceE8, quantityE8, buyerIsMaker, timeUs, aggregateId } = fill;
  const text = JSON.stringify({
    type,
    trade_id: id,
    maker_order_id: uuid(1, id),
    taker_order_id: uuid(2, aggregateId),
    side: buyerIsMaker ? 'buy' : 'sell',
    size: shortText(quantityE8),
    price: shortText(priceE8),
    product_id: symbolOf(listing),
    sequence: sequenceOf(id),
    time: microsecondTime(timeUs),
  });
  return { text, firstId: id, trades: 1 };
}

/** Names may be bare or with products of their own: `"matches"`, `{"name":"matches","product_ids":["BTC-USD"]}`. */
function wanted(message: Message): { channel: string; symbols: string[] }[] {
  const common = textsOf(message.product_ids);
  return listOf(message.channels).map((entry) => {
    if (typeof entry === 'string') return { channel: entry, symbols: common };
    const { name, product_ids: own } = (entry ?? {}) as Message;
    return { channel: String(name), symbols: Array.isArray(own) ? textsOf(own) : common };
  });
}

/** All of the connection, after every change. */
function subscriptionsText(session: Session): string {
  const listed = channels.flatMap((name) => {
    const topics = [...session.topics].filter((topic) => topic.startsWith(`${name} `));
    const symbols = topics.map((topic) => topic.slice(name.length + 1));
    return symbols.length > 0 ? [{ name, product_ids: symbols, account_ids: null }] : [];
  });
  return JSON.stringify({ type: 'subscriptions', channels: listed });
}

type Wanted = { channel: string; listing: Listing }[];

/** What a request is about, or why all of it fails: one wrong product is enough. */
function readWanted(desk: Desk, message: Message, isSubscribe: boolean): Wanted | string {
  const found: Wanted = [];
  for (const { channel, symbols } of wanted(message)) {
    if (!channels.includes(channel)) return `${channel} is not a valid channel`;
    for (const symbol of symbols) {
      const listing = isSubscribe ? desk.subscribable(symbol) : desk.listing(symbol);
      if (!listing) return `${symbol} is not a valid product`;
      found.push({ channel, listing });
    }
  }
  return found.length > 0 ? found : 'You need to specify at least one product ID';
}

function change(desk: Desk, session: Session, message: Message, isSubscribe: boolean): void {
  const found = readWanted(desk, message, isSubscribe);
  if (typeof found === 'string') {
    desk.say(session, JSON.stringify({ type: 'error', message: 'Failed to subscribe', reason: found }));
    return;
  }
  const added = found.filter(({ channel, listing }) => !session.topics.has(topicOf(channel, listing)));
  for (const { channel, listing } of found) {
    if (isSubscribe) desk.subscribe(session, topicOf(channel, listing));
    else desk.unsubscribe(session, topicOf(channel, listing));
  }
  desk.say(session, subscriptionsText(session));
  for (const { channel, listing } of isSubscribe ? added : []) {
    const [last] = newestFills(desk.market, listing.symbol, desk.settings.snapshotTrades).slice(-1);
    if (channel === 'matches' && last) desk.sayTrades(session, listing, matchFrame('last_match', listing, last));
  }
}

export const coinbase: Protocol = {
  id: 'coinbase',
  paths: ['/'],
  settings: {
    pingIntervalMs: never,
    lifetimeMs: never,
    messagesPerSecondMax: 100,
    connectsMax: 20,
    connectWindowMs: 1000,
    firstMessageMs: 5000,
    snapshotTrades: 1,
  },
  spelling: {
    symbol: symbolOf,
    id: String,
    price: (_, priceE8) => shortText(priceE8),
    quantity: (_, quantityE8) => shortText(quantityE8),
  },
  rest: coinbaseRest,
  hear(desk, session, text) {
    const message = readMessage(text);
    if (message?.type === 'subscribe' || message?.type === 'unsubscribe') {
      change(desk, session, message, message.type === 'subscribe');
    } else {
      const reason = message ? `Type ${message.type} is not supported` : 'Malformed JSON';
      desk.say(session, JSON.stringify({ type: 'error', message: reason }));
    }
  },
  /** One for each product that asked for it. */
  beat(desk, session) {
    for (const topic of session.topics) {
      const [channel, product = ''] = topic.split(' ');
      const listing = desk.listing(product);
      if (channel !== 'heartbeat' || !listing) continue;
      const last = desk.market.nextIds(listing.symbol).tradeId - 1;
      const ids = { last_trade_id: last, product_id: product, sequence: sequenceOf(last) };
      desk.say(session, JSON.stringify({ type: 'heartbeat', ...ids, time: microsecondTime(desk.nowUs()) }));
    }
  },
  notice: () => null,
  topics: (listing) => [topicOf('matches', listing)],
  frames: (_, listing, order) => fillsOf(order).map((fill) => matchFrame('match', listing, fill)),
};
