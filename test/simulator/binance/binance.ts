// Binance spot market streams: who is subscribed to what, in which form, and what is sent to them.
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Connection, type ConnectionContext, refuseUpgrade } from '../connection.ts';
import type { RestFault } from '../control-types.ts';
import type { Exchange, ExchangeServices, Spelling } from '../exchange.ts';
import { type Client, Hub } from '../hub.ts';
import type { Market, TimedOrder } from '../market.ts';
import type { RecordedFrame } from '../recording.ts';
import type { Receivers } from '../replay.ts';
import { defaultSettings, type Settings } from '../settings.ts';
import type { Listing } from '../trades.ts';
import { aggregatePayload, decimalText, envelope, inUnit, type TimeUnit, tradePayload } from './frames.ts';
import { recordedForms } from './recorded.ts';
import { errorText, parseRequest, resultText, tooManySubscriptions } from './requests.ts';
import { RestServer, timeUnit } from './rest-server.ts';

interface StreamClient extends Client {
  /** Events in the envelope that names their stream. */
  combined: boolean;
  unit: TimeUnit;
}

export class Binance implements Exchange {
  readonly id = 'binance';
  readonly settings: Settings;
  readonly spelling: Spelling = {
    symbol: (listing) => listing.symbol,
    id: String,
    price: (_, priceE8) => decimalText(priceE8),
    quantity: (_, quantityE8) => decimalText(quantityE8),
  };
  #rest: RestServer;
  #hub: Hub<StreamClient>;
  #streamNames = new Map<string, { trade: string; aggregate: string }>();
  #market: Market;
  #context: ConnectionContext;
  #refused: Set<string>;

  constructor(services: ExchangeServices, settings: Partial<Settings>) {
    this.settings = { ...defaultSettings, ...settings };
    this.#context = { ...services, exchange: this.id, settings: this.settings };
    this.#hub = new Hub(this.#context, services);
    this.#market = services.market;
    this.#refused = services.refused;
    this.#rest = new RestServer(services.market, services.clock, this.settings);
  }

  owns(path: string): boolean {
    return path === '/stream' || path === '/ws' || path.startsWith('/ws/') || path.startsWith('/api/v3/');
  }

  request(request: IncomingMessage, url: URL, response: ServerResponse, fault: RestFault | undefined): void {
    this.#rest.request(request, url, response, fault);
  }

  upgrade(request: IncomingMessage, url: URL, socket: Duplex, head: Buffer): void {
    const unit = timeUnit(url.searchParams.get('timeUnit'));
    const streams = streamsOf(url);
    if (unit === null || streams === null || new Set(streams).size > this.settings.streamsPerConnectionMax) {
      refuseUpgrade(socket, '400 Bad Request');
      return;
    }
    const join = (connection: Connection): StreamClient => {
      const client = { connection, topics: new Set<string>(), combined: url.pathname === '/stream', unit };
      for (const stream of streams) this.#hub.subscribe(client, stream);
      return client;
    };
    this.#hub.upgrade(request, socket, head, join, (client, text) =>
      client.connection.send(Buffer.from(this.#answer(client, text)), null, null),
    );
  }

  publish(listing: Listing, order: TimedOrder): void {
    const names = this.#namesOf(listing.symbol);
    const traders = this.#hub.subscribers(names.trade);
    if (traders) {
      for (let fill = 0; fill < order.quantitiesE8.length; fill++) {
        const payload = (unit: TimeUnit) => tradePayload(listing.symbol, order, fill, unit);
        this.#send(traders, names.trade, payload, listing.symbol, order.firstId + fill);
      }
    }
    const aggregators = this.#hub.subscribers(names.aggregate);
    if (aggregators) {
      const payload = (unit: TimeUnit) => aggregatePayload(listing.symbol, order, unit);
      // Aggregates have an id space of their own; a ledger that mixed both would mislead.
      this.#send(aggregators, names.aggregate, payload, null, null);
    }
  }

  receivers(frame: RecordedFrame): Receivers {
    const forms = recordedForms(frame.text);
    const clients = forms ? this.#hub.subscribers(forms.stream) : undefined;
    if (!forms || !clients) return { symbol: null, id: null, connections: [] };
    const connections = [...clients].map((client) => ({
      connection: client.connection,
      bytes: client.combined ? forms.combined : forms.raw,
    }));
    return { symbol: forms.symbol, id: forms.id, connections };
  }

  sendShutdownNotice(): void {
    const nowUs = this.#market.exchangeUs(this.#context.clock.nowUs());
    for (const client of this.#hub.clients()) {
      const payload = `{"e":"serverShutdown","E":${inUnit(nowUs, client.unit)}}`;
      client.connection.send(Buffer.from(client.combined ? envelope('!serverShutdown', payload) : payload), null, null);
    }
  }

  connections(): Connection[] {
    return this.#hub.connections();
  }

  subscriptions(connection: Connection): string[] {
    return this.#hub.subscriptions(connection);
  }

  ban(address: string | undefined, untilMs: number): void {
    this.#rest.weights.ban(address, untilMs, Math.floor(this.#context.clock.nowUs() / 1000));
  }

  reset(): void {
    this.#rest.reset();
    this.#hub.reset();
  }

  #answer(client: StreamClient, text: string): string {
    const { errorForm, streamsPerConnectionMax } = this.settings;
    const request = parseRequest(text);
    switch (request.method) {
      case 'SUBSCRIBE': {
        const { code, message } = tooManySubscriptions;
        const refused = request.streams.find((stream) => this.#refused.has(stream.split('@')[0]?.toUpperCase() ?? ''));
        if (refused !== undefined) return errorText(2, `Invalid request: ${refused}`, request.id, errorForm);
        const wanted = new Set([...client.topics, ...request.streams]);
        if (wanted.size > streamsPerConnectionMax) return errorText(code, message, request.id, errorForm);
        // Any name is accepted, as Binance does; one that is no stream stays silent.
        for (const stream of request.streams) this.#hub.subscribe(client, stream);
        return resultText(null, request.id);
      }
      case 'UNSUBSCRIBE':
        for (const stream of request.streams) this.#hub.unsubscribe(client, stream);
        return resultText(null, request.id);
      case 'LIST_SUBSCRIPTIONS':
        return resultText([...client.topics], request.id);
      case 'SET_PROPERTY':
        client.combined = request.combined;
        return resultText(null, request.id);
      case 'GET_PROPERTY':
        return resultText(client.combined, request.id);
      case 'invalid':
        return errorText(request.code, request.message, request.id, errorForm);
    }
  }

  /** Encodes an event once for each form that is asked for. */
  #send(
    clients: Set<StreamClient>,
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
