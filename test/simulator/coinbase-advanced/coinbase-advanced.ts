// Coinbase Advanced Trade: the channels market_trades and heartbeats. Frames are numbered by connection, trades come
// newest first, and the side is the maker's.
// https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
import { type Fill, fillsOf, newestFills } from '../fills.ts';
import { type Desk, type Message, type Protocol, readMessage, type Session, textsOf } from '../protocol.ts';
import { never } from '../settings.ts';
import { microsecondTime, shortText, shortTime } from '../text.ts';
import type { Listing } from '../trades.ts';
import { namesOf, streamedListing } from './products.ts';
import { advancedRest, tradeFields } from './rest.ts';

const heartbeats = 'heartbeats heartbeats';
const topicOf = (product: string) => `market_trades ${product}`;

const body = (channel: string, event: object) => JSON.stringify({ channel, events: [event] });

function frameOf(type: 'snapshot' | 'update', listing: Listing, fills: Fill[]) {
  const trades = fills.map((fill) => tradeFields(listing, fill)).reverse();
  return { text: body('market_trades', { type, trades }), firstId: fills[0]?.id ?? 0, trades: fills.length };
}

/** All of the connection, after every change: `{"heartbeats":["heartbeats"],"market_trades":["BTC-USD"]}`. */
function subscriptionsText(session: Session): string {
  const subscriptions: Record<string, string[]> = {};
  for (const topic of [...session.topics].sort()) {
    const [channel = '', product = ''] = topic.split(' ');
    subscriptions[channel] = [...(subscriptions[channel] ?? []), product];
  }
  return body('subscriptions', { subscriptions });
}

/** Why a request fails, all of it; null where it does not. */
function whyWrong(desk: Desk, { channel }: Message, products: string[], isSubscribe: boolean): string | null {
  if (channel === 'heartbeats') return null;
  if (channel !== 'market_trades') return `channel ${channel} is not supported`;
  const wrong = products.find((product) => {
    const listing = streamedListing(desk, product);
    return !listing || (isSubscribe && !desk.subscribable(`${listing.baseAsset}-${listing.quoteAsset}`));
  });
  return wrong === undefined ? null : `${wrong} is not a valid product`;
}

function change(desk: Desk, session: Session, message: Message, isSubscribe: boolean): void {
  const products = textsOf(message.product_ids);
  const why = whyWrong(desk, message, products, isSubscribe);
  if (why !== null) {
    desk.say(session, JSON.stringify({ type: 'error', message: why }));
    return;
  }
  const topics = message.channel === 'heartbeats' ? [heartbeats] : products.map(topicOf);
  const added = topics.filter((topic) => isSubscribe && !session.topics.has(topic));
  for (const topic of topics) {
    if (isSubscribe) desk.subscribe(session, topic);
    else desk.unsubscribe(session, topic);
  }
  // Snapshots come before the acknowledgement.
  for (const topic of added) {
    const listing = streamedListing(desk, topic.split(' ')[1] ?? '');
    const past = listing ? newestFills(desk.market, listing.symbol, desk.settings.snapshotTrades) : [];
    if (listing && past.length > 0) desk.sayTrades(session, listing, frameOf('snapshot', listing, past));
  }
  desk.say(session, subscriptionsText(session));
}

export const coinbaseAdvanced: Protocol = {
  id: 'coinbase-advanced',
  paths: ['/'],
  settings: {
    pingIntervalMs: never,
    lifetimeMs: never,
    messagesPerSecondMax: 8,
    connectsMax: 8,
    connectWindowMs: 1000,
    firstMessageMs: 5000,
    // "Most channels close within 60-90 seconds if no updates are sent."
    sendSilenceMs: 90_000,
    snapshotTrades: 100,
  },
  spelling: {
    symbol: (listing) => `${listing.baseAsset}-${listing.quoteAsset}`,
    id: String,
    price: (_, priceE8) => shortText(priceE8),
    quantity: (_, quantityE8) => shortText(quantityE8),
  },
  rest: advancedRest,
  hear(desk, session, text) {
    const message = readMessage(text);
    if (message?.type === 'subscribe' || message?.type === 'unsubscribe') {
      change(desk, session, message, message.type === 'subscribe');
    } else {
      const why = message ? `type ${message.type} is not supported` : 'failed to parse message';
      desk.say(session, JSON.stringify({ type: 'error', message: why }));
    }
  },
  beat(desk, session) {
    if (!session.topics.has(heartbeats)) return;
    // As Go prints a time.
    const now = microsecondTime(desk.nowUs()).replace('T', ' ').replace('Z', '');
    const currentTime = `${now}000 +0000 UTC m=+${session.beats}.260485341`;
    desk.say(session, body('heartbeats', { current_time: currentTime, heartbeat_counter: session.beats }));
  },
  notice: () => null,
  topics: (listing) => namesOf(listing).map(topicOf),
  frames: (_, listing, order) => [frameOf('update', listing, fillsOf(order))],
  /** Errors have no envelope. The last three digits of the time are the frame's own, so that some end in zeros. */
  seal(text, session, nowUs) {
    const [, channel, rest] = /^(\{"channel":"[a-z_]+"),(.*)$/s.exec(text) ?? [];
    if (channel === undefined) return text;
    const time = shortTime(nowUs, (session.frames * 37) % 1000);
    return `${channel},"timestamp":"${time}","sequence_num":${session.frames},${rest}`;
  },
};
