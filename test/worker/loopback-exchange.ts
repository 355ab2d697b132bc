// A small exchange on a loopback port for the worker's tests: it lists symbols, acknowledges, sends what it is told to,
// and misbehaves on demand. The exchange simulator is the true one; this one is small enough to be seen through.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface LoopbackExchange {
  webSocketUrl: string;
  restUrl: string;
  /** Symbol -> base and quote asset. Changing it lists or delists. */
  symbols: Map<string, [base: string, quote: string]>;
  /** What the next listing requests answer instead, oldest first. */
  listingFaults: { status: number; body: string; headers?: Record<string, string> }[];
  /** Answers a request's text; null: not at all. Default: an acknowledgement. */
  answer: (request: { method: string; params: string[]; id: number }) => string | null;
  /** Texts that clients sent, all connections. */
  requests: string[];
  listingRequests: number;
  /** Connections accepted since start. */
  connections: WebSocket[];
  /** Resolves with the n-th connection (from 1) once its first request is answered. */
  subscribed(n: number): Promise<WebSocket>;
  /** May be called again. */
  close(): Promise<void>;
}

export async function startLoopbackExchange(): Promise<LoopbackExchange> {
  const http = createServer((request, response) => {
    exchange.listingRequests++;
    const fault = exchange.listingFaults.shift();
    if (fault) return response.writeHead(fault.status, fault.headers).end(fault.body);
    const url = new URL(request.url ?? '/', 'http://loopback');
    const asked: string[] = JSON.parse(url.searchParams.get('symbols') ?? '[]');
    if (asked.some((symbol) => !exchange.symbols.has(symbol))) {
      return response.writeHead(400).end('{"code":-1121,"msg":"Invalid symbol."}');
    }
    const symbols = asked.map((symbol) => {
      const [baseAsset, quoteAsset] = exchange.symbols.get(symbol) ?? [];
      return { symbol, status: 'TRADING', baseAsset, quoteAsset };
    });
    return response.end(JSON.stringify({ symbols }));
  });
  const webSockets = new WebSocketServer({ server: http });
  const waiters = new Map<number, (webSocket: WebSocket) => void>();
  const subscribedConnections = new Map<number, WebSocket>();

  webSockets.on('connection', (webSocket) => {
    const n = exchange.connections.push(webSocket);
    webSocket.on('message', (data) => {
      const text = String(data);
      exchange.requests.push(text);
      if (!text.startsWith('{')) return;
      const answer = exchange.answer(JSON.parse(text));
      if (answer !== null) webSocket.send(answer);
      subscribedConnections.set(n, webSocket);
      waiters.get(n)?.(webSocket);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;

  const exchange: LoopbackExchange = {
    webSocketUrl: `ws://127.0.0.1:${port}`,
    restUrl: `http://127.0.0.1:${port}`,
    symbols: new Map([
      ['BTCUSDT', ['BTC', 'USDT']],
      ['ETHUSDT', ['ETH', 'USDT']],
    ]),
    listingFaults: [],
    answer: ({ id }) => JSON.stringify({ result: null, id }),
    requests: [],
    listingRequests: 0,
    connections: [],
    subscribed(n) {
      const webSocket = subscribedConnections.get(n);
      return webSocket ? Promise.resolve(webSocket) : new Promise((resolve) => waiters.set(n, resolve));
    },
    async close() {
      if (!http.listening) return;
      for (const webSocket of webSockets.clients) webSocket.terminate();
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
  return exchange;
}

/** A frame of the combined stream as Binance sends it. */
export function tradeFrame(
  tradeId: number,
  symbol = 'BTCUSDT',
  price = '61837.63000000',
  quantity = '0.02000000',
): string {
  const time = 1723161255342 + tradeId;
  const data = { e: 'trade', E: time + 1, s: symbol, t: tradeId, p: price, q: quantity, T: time, m: true, M: true };
  return JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data });
}
