// The simulator as a whole: one HTTP server, and behind it the market, the exchange it speaks for, and the control
// interface.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Binance } from './binance/binance.ts';
import { parseListing } from './binance/symbols.ts';
import { type Clock, systemClock } from './clock.ts';
import { Commands } from './commands.ts';
import { refuseUpgrade } from './connection.ts';
import { handleControl } from './control-server.ts';
import type { ConnectionState, Settings, SimulatorControl } from './control-types.ts';
import { type Exchange, inFewWrites } from './exchange.ts';
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
  const settings = { ...defaultSettings, ...options.settings };
  const ledger = new Ledger(ledgerBytesMax);
  const market = new Market(seed, tradesPerSecond);
  const closed: ConnectionState[] = [];
  const exchange = new Binance(market, { clock, ledger, settings }, (connection, subscriptions) => {
    closed.push(connection.state(subscriptions));
    if (closed.length > closedConnectionsMax) closed.shift();
  });
  const replay = new Replay(exchange, clock);
  const initial = { seed, tradesPerSecond, listings: symbols.map(parseListing), settings: { ...settings } };
  const commands = new Commands({ clock, settings, ledger, market, exchange, replay, closed }, initial);

  const server = serve(exchange, commands);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port ?? 0, host: options.host }, resolve);
  });
  const cancelTicks = clock.every(tickMs, () => {
    inFewWrites(exchange, () =>
      market.advance(clock.nowUs(), tradesPerTickMax, (listing, order) => exchange.publish(listing, order)),
    );
  });

  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    cancelTicks();
    replay.reset();
    await Promise.all(exchange.connections().map((connection) => connection.cut()));
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  const [url, webSocketUrl] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`];
  return Object.assign(commands, { port, url, webSocketUrl, close });
}

function serve(exchange: Exchange, commands: Commands): Server {
  const server = createServer((request, response) => {
    const url = urlOf(request);
    if (url?.pathname.startsWith('/control/')) void handleControl(request, url, response, commands);
    else if (url && exchange.owns(url.pathname)) exchange.request(request, url, response);
    else response.writeHead(404, { 'content-type': 'text/plain' }).end(`no such page: ${request.url}\n`);
  });
  server.on('upgrade', (request, socket, head) => {
    // Clients that vanish are part of the play.
    socket.on('error', () => socket.destroy());
    const url = urlOf(request);
    if (!commands.accepting) refuseUpgrade(socket, '503 Service Unavailable');
    else if (url && exchange.owns(url.pathname)) exchange.upgrade(request, url, socket, head);
    else refuseUpgrade(socket, '404 Not Found');
  });
  return server;
}

/** Null for what is no address, such as `//`. */
const urlOf = (request: IncomingMessage): URL | null => URL.parse(request.url ?? '', 'http://simulator');
