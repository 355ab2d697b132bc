// The simulator as a whole: one HTTP server, and behind it the market, the exchanges it speaks for, and the control
// interface.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from './clock.ts';
import { Commands } from './commands.ts';
import { type Connection, refuseUpgrade } from './connection.ts';
import { handleControl } from './control-server.ts';
import type { ConnectionState, Settings, SimulatorControl } from './control-types.ts';
import { inFewWrites } from './exchange.ts';
import { createExchanges, type Exchanges, routeOf } from './exchanges.ts';
import { FrameFaults } from './frame-faults.ts';
import { Ledger } from './ledger.ts';
import { parseListing } from './listings.ts';
import { Market } from './market.ts';
import { Replay } from './replay.ts';
import { RestCounts } from './rest-counts.ts';
import { RestFaults } from './rest-faults.ts';
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
  /** `ws://127.0.0.1:<port>`, to be followed by the exchange and its own path: /kraken/v2; or by /stream or /ws. */
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
  const frameFaults = new FrameFaults(seed, clock);
  const refused = new Set<string>();
  const closed: ConnectionState[] = [];
  let lastConnection = 0;
  const services = {
    ...{ clock, ledger, market, frameFaults, refused },
    nextConnection: () => ++lastConnection,
    onClosed(connection: Connection, subscriptions: string[]) {
      closed.push(connection.state(subscriptions));
      if (closed.length > closedConnectionsMax) closed.shift();
    },
  };
  const exchanges = createExchanges(services, options.settings ?? {});
  const replay = new Replay(exchanges.first, clock);
  const initial = {
    ...{ seed, tradesPerSecond, settings: { ...settings } },
    listings: symbols.map(parseListing),
    exchangeSettings: exchanges.all.map((exchange) => ({ ...exchange.settings })),
  };
  const rest = { restFaults: new RestFaults(), restCounts: new RestCounts() };
  const parts = { ...services, ...rest, settings, exchanges: exchanges.all, replay, closed };
  const commands = new Commands(parts, initial);

  const server = serve(exchanges, commands, rest, clock);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port ?? 0, host: options.host }, resolve);
  });
  const cancelTicks = clock.every(tickMs, () => {
    inFewWrites(commands.connections(), () =>
      market.advance(clock.nowUs(), tradesPerTickMax, (listing, order) => commands.publish(listing, order)),
    );
  });

  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    cancelTicks();
    replay.reset();
    await Promise.all(commands.connections().map((connection) => connection.cut()));
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  const [url, webSocketUrl] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`];
  return Object.assign(commands, { port, url, webSocketUrl, close });
}

interface Rest {
  restFaults: RestFaults;
  restCounts: RestCounts;
}

function serve(exchanges: Exchanges, commands: Commands, rest: Rest, clock: Clock): Server {
  const server = createServer((request, response) => {
    const url = urlOf(request);
    if (url?.pathname.startsWith('/control/')) {
      void handleControl(request, url, response, commands);
      return;
    }
    const route = url && routeOf(exchanges, url.pathname);
    if (!url || !route) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`no such page: ${request.url}\n`);
      return;
    }
    const fault = rest.restFaults.take([url.pathname, route.path]);
    url.pathname = route.path;
    response.once('finish', () => rest.restCounts.count(route.exchange.id, response.statusCode));
    const respond = () => route.exchange.request(request, url, response, fault);
    if (fault?.delayMs) clock.after(fault.delayMs, respond);
    else respond();
  });
  server.on('upgrade', (request, socket, head) => {
    // Clients that vanish are part of the play.
    socket.on('error', () => socket.destroy());
    const url = urlOf(request);
    const route = url && routeOf(exchanges, url.pathname);
    if (!commands.accepting) {
      refuseUpgrade(socket, '503 Service Unavailable');
    } else if (url && route) {
      url.pathname = route.path;
      route.exchange.upgrade(request, url, socket, head);
    } else {
      refuseUpgrade(socket, '404 Not Found');
    }
  });
  return server;
}

/** Null for what is no address, such as `//`. */
const urlOf = (request: IncomingMessage): URL | null => URL.parse(request.url ?? '', 'http://simulator');
