// The simulator as a whole: one HTTP server, the market behind it, the exchange it speaks for, and the control calls on all of them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Binance } from './binance/binance.ts';
import { binanceListing, parseListing } from './binance/symbols.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Connection } from './connection.ts';
import { ControlError } from './control-error.ts';
import { handleControl } from './control-server.ts';
import type { ConnectionState, Settings, SimulatorControl, SimulatorState } from './control-types.ts';
import { Ledger } from './ledger.ts';
import { Market } from './market.ts';
import { Replay } from './replay.ts';
import { defaultSettings } from './settings.ts';

export interface SimulatorOptions {
  /** 0 or absent: a free one. */
  port?: number;
  /** Absent: all interfaces. */
  host?: string;
  seed?: string;
  /** Over all symbols, shared equally. */
  tradesPerSecond?: number;
  /** Known ones as `BTCUSDT`, others as `FOO/USDT`. */
  symbols?: string[];
  ledgerBytesMax?: number;
  settings?: Partial<Settings>;
  clock?: Clock;
}

export interface Simulator extends SimulatorControl {
  port: number;
  /** `http://127.0.0.1:<port>`: REST and control. */
  url: string;
  /** `ws://127.0.0.1:<port>`, to be followed by /stream or /ws. */
  webSocketUrl: string;
  close(): Promise<void>;
}

export const simulatorDefaults = {
  seed: 'k2',
  tradesPerSecond: 168,
  symbols: ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'],
  ledgerBytesMax: 256 * 1024 * 1024,
};

/** Trades leave this often: short against a second, long enough to share writes. */
const tickMs = 4;
/** About 1,000,000 trades/s; bounds how long one tick keeps the process from its sockets. */
const tradesPerTickMax = 4000;
/** Closed connections that state() still lists. */
const closedConnectionsMax = 1000;

/** @throws Error when the port is taken or a symbol is unknown */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { seed, tradesPerSecond, symbols, ledgerBytesMax } = { ...simulatorDefaults, ...options };
  const clock = options.clock ?? systemClock;
  const settings: Settings = { ...defaultSettings, ...options.settings };
  const initialSettings = { ...settings };
  const ledger = new Ledger(ledgerBytesMax);
  const market = new Market(seed, tradesPerSecond);
  const initialListings = symbols.map(parseListing);
  for (const listing of initialListings) market.list(listing, clock.nowUs());
  const closed: ConnectionState[] = [];
  const exchange = new Binance(market, { clock, ledger, settings }, (connection, subscriptions) => {
    closed.push(connection.state(subscriptions));
    if (closed.length > closedConnectionsMax) closed.shift();
  });
  const replay = new Replay(exchange, clock);
  let accepting = true;

  const selected = (id: number | undefined): Connection[] => {
    const connections = exchange.connections().filter((connection) => id === undefined || connection.id === id);
    if (id !== undefined && connections.length === 0) throw new ControlError(404, `connection: ${id} is not open`);
    return connections;
  };
  const requireListed = (symbol: string | undefined): void => {
    if (symbol === undefined || market.listing(symbol)) return;
    const listed = market.listings().map((listing) => listing.symbol);
    throw new ControlError(400, `symbol: '${symbol}' is not listed; listed are ${listed.join(', ')}`);
  };

  const control: SimulatorControl = {
    async state(): Promise<SimulatorState> {
      return {
        nowMs: Math.floor(clock.nowUs() / 1000),
        seed,
        paused: market.paused,
        accepting,
        tradesPerSecond: market.tradesPerSecond,
        skippedMs: market.skippedMs,
        symbols: market.activity(),
        connections: [
          ...exchange.connections().map((connection) => connection.state(exchange.subscriptions(connection))),
          ...closed,
        ],
        ledger: ledger.state(),
        replay: replay.state(),
        settings: { ...settings },
      };
    },
    async *sent({ connection, symbol, partial = false } = {}) {
      const { frames, framesNotKept, bytesMax } = ledger.state();
      if (framesNotKept > 0 && !partial) {
        const kept = `it kept the first ${frames} frames, within its ${bytesMax} bytes, and not the ${framesNotKept} after them`;
        throw new ControlError(507, `the ledger is incomplete: ${kept}; raise its maximum, or ask with partial=true`);
      }
      yield* ledger.read(connection, symbol);
    },
    async setRate({ tradesPerSecond, symbol }) {
      requireListed(symbol);
      if (tradesPerSecond === null && symbol === undefined) {
        throw new ControlError(400, 'tradesPerSecond: is null; that is for one symbol only, name it');
      }
      market.setRate(tradesPerSecond, symbol);
    },
    async pause() {
      market.setPaused(true);
    },
    async resume() {
      market.setPaused(false);
    },
    async burst({ trades, symbol }) {
      requireListed(symbol);
      market.burst(trades, symbol);
    },
    async setSymbols({ add = [], remove = [] }) {
      for (const symbol of remove) requireListed(symbol);
      const listings = add.map(({ symbol, baseAsset, quoteAsset, status }) => {
        try {
          return binanceListing(symbol, { baseAsset, quoteAsset }, status ?? 'TRADING');
        } catch (error) {
          throw new ControlError(400, error instanceof Error ? error.message : String(error));
        }
      });
      for (const symbol of remove) market.unlist(symbol);
      for (const listing of listings) market.list(listing, clock.nowUs());
    },
    async cut({ connection, code, reason } = {}) {
      for (const one of selected(connection)) {
        if (code === undefined) one.cut();
        else one.close(code, reason ?? '');
      }
    },
    async stall({ stalled, connection }) {
      for (const one of selected(connection)) one.setStalled(stalled);
    },
    async setAccepting(request) {
      accepting = request.accepting;
    },
    async shutDownConnections({ afterMs }) {
      const leaving = exchange.connections();
      exchange.sendShutdownNotice();
      clock.after(afterMs, () => {
        for (const connection of leaving) connection.close(1001, 'Server shutdown');
      });
    },
    async setSettings(change) {
      Object.assign(settings, change);
      for (const connection of exchange.connections()) connection.applySettings();
    },
    async addRestFault(fault) {
      exchange.rest.addFault(fault);
    },
    async ban({ durationMs, address }) {
      const nowMs = Math.floor(clock.nowUs() / 1000);
      exchange.rest.weights.ban(address, nowMs + durationMs, nowMs);
    },
    async loadRecording(body) {
      return replay.load(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    },
    async replay({ speed }) {
      replay.start(speed);
    },
    async reset() {
      for (const connection of exchange.connections()) connection.cut();
      replay.reset();
      exchange.reset();
      ledger.clear();
      closed.length = 0;
      accepting = true;
      Object.assign(settings, initialSettings);
      for (const { symbol } of market.listings()) {
        if (!initialListings.some((listing) => listing.symbol === symbol)) market.unlist(symbol);
      }
      for (const listing of initialListings) {
        market.list(listing, clock.nowUs());
        market.setRate(null, listing.symbol);
      }
      market.setRate(tradesPerSecond, undefined);
      market.setPaused(false);
    },
  };

  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (path.startsWith('/control/')) void handleControl(request, response, control);
    else if (exchange.owns(path)) exchange.request(request, response);
    else response.writeHead(404, { 'content-type': 'text/plain' }).end(`no such page: ${path}\n`);
  });
  server.on('upgrade', (request, socket, head) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    socket.on('error', () => socket.destroy());
    if (!accepting) socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else if (exchange.owns(path)) exchange.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port ?? 0, host: options.host }, resolve);
  });

  const cancelTicks = clock.every(tickMs, () => {
    const connections = exchange.connections();
    for (const connection of connections) connection.cork();
    market.advance(clock.nowUs(), tradesPerTickMax, (listing, order) => exchange.publish(listing, order));
    for (const connection of connections) connection.uncork();
  });

  const { port } = server.address() as AddressInfo;
  return {
    ...control,
    port,
    url: `http://127.0.0.1:${port}`,
    webSocketUrl: `ws://127.0.0.1:${port}`,
    async close() {
      cancelTicks();
      replay.reset();
      for (const connection of exchange.connections()) connection.cut();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
