// Binance spot market streams: who is subscribed to what, in which form, and what is sent to them.
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Connection, type ConnectionContext, refuseUpgrade } from '../connection.ts';
import type { Exchange, Receivers } from '../exchange.ts';
import type { Market, TimedOrder } from '../market.ts';
import type { RecordedFrame } from '../recording.ts';
import type { Listing } from '../trades.ts';
import { aggregatePayload, envelope, inUnit, type TimeUnit, tradePayload } from './frames.ts';
import { recordedForms } from './recorded.ts';
import { errorText, parseRequest, resultText, tooManySubscriptions } from './requests.ts';
import { RestServer, timeUnit } from './rest-server.ts';

interface Client {
  connection: Connection;
  streams: Set<string>;
  /** Events in the envelope that names their stream. */
  combined: boolean;
  unit: TimeUnit;
}

/** A request with 1,024 stream names is about 40 kB; the exchange's own limit is not documented. */
const messageBytesMax = 1024 * 1024;

/** Addresses whose attempts are remembered; beyond it all are forgotten. */
const addressesMax = 10_000;

export class Binance implements Exchange {
  readonly rest: RestServer;
  #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: messageBytesMax,
  });
  #clients = new Map<Connection, Client>();
  #subscribers = new Map<string, Set<Client>>();
  #streamNames = new Map<string, { trade: string; aggregate: string }>();
  #attempts = new Map<string, number[]>();
  #context: ConnectionContext;
  #onClosed: (connection: Connection, subscriptions: string[]) => void;
  #lastConnection = 0;

  constructor(
    market: Market,
    context: ConnectionContext,
    onClosed: (connection: Connection, subscriptions: string[]) => void,
  ) {
    this.#context = context;
    this.#onClosed = onClosed;
    this.rest = new RestServer(market, context.clock, context.settings);
  }

  owns(path: string): boolean {
    return path === '/stream' || path === '/ws' || path.startsWith('/ws/') || path.startsWith('/api/v3/');
  }

  request(request: IncomingMessage, url: URL, response: ServerResponse): void {
    this.rest.request(request, url, response);
  }

  upgrade(request: IncomingMessage, url: URL, socket: Duplex, head: Buffer): void {
    const address = request.socket.remoteAddress ?? '';
    const unit = timeUnit(url.searchParams.get('timeUnit'));
    const streams = streamsOf(url);
    const limits = this.#context.settings;
    if (!this.#admitAttempt(address)) {
      refuseUpgrade(socket, '429 Too Many Requests', { 'retry-after': Math.ceil(limits.connectWindowMs / 1000) });
    } else if (unit === null || streams === null || new Set(streams).size > limits.streamsPerConnectionMax) {
      refuseUpgrade(socket, '400 Bad Request');
    } else {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#connected(webSocket, socket, request.url ?? '/', address, url.pathname === '/stream', unit, streams);
      });
    }
  }

  publish(listing: Listing, order: TimedOrder): void {
    const names = this.#namesOf(listing.symbol);
    const traders = this.#subscribers.get(names.trade);
    if (traders) {
      for (let fill = 0; fill < order.quantitiesE8.length; fill++) {
        const payload = (unit: TimeUnit) => tradePayload(listing.symbol, order, fill, unit);
        this.#send(traders, names.trade, payload, listing.symbol, order.firstId + fill);
      }
    }
    const aggregators = this.#subscribers.get(names.aggregate);
    if (aggregators) {
      const payload = (unit: TimeUnit) => aggregatePayload(listing.symbol, order, unit);
      // Aggregates have an id space of their own; a ledger that mixed both would mislead.
      this.#send(aggregators, names.aggregate, payload, null, null);
    }
  }

  receivers(frame: RecordedFrame): Receivers {
    const forms = recordedForms(frame.text);
    const clients = forms ? this.#subscribers.get(forms.stream) : undefined;
    if (!forms || !clients) return { symbol: null, id: null, connections: [] };
    const connections = [...clients].map((client) => ({
      connection: client.connection,
      bytes: client.combined ? forms.combined : forms.raw,
    }));
    return { symbol: forms.symbol, id: forms.id, connections };
  }

  sendShutdownNotice(): void {
    const nowUs = this.#context.clock.nowUs();
    for (const client of this.#clients.values()) {
      const payload = `{"e":"serverShutdown","E":${inUnit(nowUs, client.unit)}}`;
      client.connection.send(Buffer.from(client.combined ? envelope('!serverShutdown', payload) : payload), null, null);
    }
  }

  connections(): Connection[] {
    return [...this.#clients.keys()];
  }

  subscriptions(connection: Connection): string[] {
    return [...(this.#clients.get(connection)?.streams ?? [])];
  }

  reset(): void {
    this.rest.reset();
    this.#attempts.clear();
  }

  #connected(
    webSocket: WebSocket,
    socket: Duplex,
    url: string,
    address: string,
    combined: boolean,
    unit: TimeUnit,
    streams: string[],
  ): void {
    const connection = new Connection(++this.#lastConnection, webSocket, socket, url, address, this.#context);
    const client: Client = { connection, streams: new Set(), combined, unit };
    this.#clients.set(connection, client);
    for (const stream of streams) this.#subscribe(client, stream);
    connection.start(
      (text) => connection.send(Buffer.from(this.#answer(client, text)), null, null),
      () => {
        const subscriptions = [...client.streams];
        for (const stream of subscriptions) this.#unsubscribe(client, stream);
        this.#clients.delete(connection);
        this.#onClosed(connection, subscriptions);
      },
    );
  }

  #answer(client: Client, text: string): string {
    const { errorForm, streamsPerConnectionMax } = this.#context.settings;
    const request = parseRequest(text);
    switch (request.method) {
      case 'SUBSCRIBE': {
        const { code, message } = tooManySubscriptions;
        const wanted = new Set([...client.streams, ...request.streams]);
        if (wanted.size > streamsPerConnectionMax) return errorText(code, message, request.id, errorForm);
        for (const stream of request.streams) this.#subscribe(client, stream);
        return resultText(null, request.id);
      }
      case 'UNSUBSCRIBE':
        for (const stream of request.streams) this.#unsubscribe(client, stream);
        return resultText(null, request.id);
      case 'LIST_SUBSCRIPTIONS':
        return resultText([...client.streams], request.id);
      case 'SET_PROPERTY':
        client.combined = request.combined;
        return resultText(null, request.id);
      case 'GET_PROPERTY':
        return resultText(client.combined, request.id);
      case 'invalid':
        return errorText(request.code, request.message, request.id, errorForm);
    }
  }

  /** Any name is accepted, as Binance does; one that is no stream stays silent. */
  #subscribe(client: Client, stream: string): void {
    client.streams.add(stream);
    const subscribers = this.#subscribers.get(stream) ?? new Set();
    this.#subscribers.set(stream, subscribers.add(client));
  }

  #unsubscribe(client: Client, stream: string): void {
    client.streams.delete(stream);
    const subscribers = this.#subscribers.get(stream);
    subscribers?.delete(client);
    if (subscribers?.size === 0) this.#subscribers.delete(stream);
  }

  /** Encodes an event once for each form that is asked for. */
  #send(
    clients: Set<Client>,
    stream: string,
    payload: (unit: TimeUnit) => string,
    symbol: string | null,
    id: number | null,
  ): void {
    const encoded: Record<string, Buffer> = {};
    for (const { connection, combined, unit } of clients) {
      const form = combined ? unit : `raw ${unit}`;
      encoded[form] ??= Buffer.from(combined ? envelope(stream, payload(unit)) : payload(unit));
      connection.send(encoded[form], symbol, id);
    }
  }

  #namesOf(symbol: string): { trade: string; aggregate: string } {
    let names = this.#streamNames.get(symbol);
    if (!names) {
      const lower = symbol.toLowerCase();
      names = { trade: `${lower}@trade`, aggregate: `${lower}@aggTrade` };
      this.#streamNames.set(symbol, names);
    }
    return names;
  }

  #admitAttempt(address: string): boolean {
    const { connectsMax, connectWindowMs } = this.#context.settings;
    const nowMs = this.#context.clock.nowUs() / 1000;
    const recent = (this.#attempts.get(address) ?? []).filter((ms) => ms > nowMs - connectWindowMs);
    if (recent.length >= connectsMax) return false;
    if (this.#attempts.size >= addressesMax) this.#attempts.clear();
    this.#attempts.set(address, [...recent, nowMs]);
    return true;
  }
}

/** `/stream?streams=a/b` and `/ws/a/b`; null where the address is wrongly encoded. */
function streamsOf(url: URL): string[] | null {
  let text = url.searchParams.get('streams') ?? '';
  try {
    if (url.pathname !== '/stream') text = decodeURIComponent(url.pathname.slice('/ws/'.length));
  } catch {
    return null;
  }
  return text.split('/').filter((stream) => stream !== '');
}
