// An API server whose every answer the test decides, down to the bytes and the state of the socket.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { onTestFinished } from 'vitest';
import type { KubeObject } from '../../../controller/kube/object.ts';
import { createTransport, type Transport, type TransportOptions } from '../../../controller/kube/transport.ts';

export interface Call {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: string;
  watch: boolean;
  /** Tells its connection from others. */
  remotePort: number;
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  text(status: number, body: string): void;
  /** Answers 200, sends the bytes, and leaves the answer open. */
  send(bytes: string): void;
  /** A watch event, as one line. */
  event(type: string, object: object): void;
  end(bytes?: string): void;
  /** Resets the connection. */
  reset(): void;
}

export interface StubApiServer {
  url: string;
  kubeConfig: KubeConfig;
  /** All so far, in order of arrival. */
  calls: Call[];
  /** Connections accepted so far. */
  connections: number;
  /** Calls that neither side has ended. */
  openCalls: number;
  /** Resolves when no call is open. */
  idle(): Promise<void>;
  /** The call number `index`, counted from 0, as soon as it has come. */
  call(index: number): Promise<Call>;
  /** Shows another certificate from now on, and closes the connections made with the old one. */
  rotate(tls: ServerOptions): void;
  close(): Promise<void>;
}

/**
 * Ends with the test.
 * @param answer may do nothing: silence is an answer, too
 */
export async function startStub(
  answer: (call: Call, index: number) => void,
  tls?: ServerOptions,
): Promise<StubApiServer> {
  const waiting = new Set<() => void>();
  const changed = () => {
    for (const check of waiting) check();
  };
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    stub.openCalls++;
    response.on('close', () => {
      stub.openCalls--;
      changed();
    });
    const call = await callOf(request, response);
    stub.calls.push(call);
    answer(call, stub.calls.length - 1);
    changed();
  };
  const server: Server = tls ? createTlsServer(tls) : createServer();
  server.on('request', (request, response) => void handle(request, response));
  server.on(tls ? 'secureConnection' : 'connection', (_socket: Socket) => {
    stub.connections++;
  });
  const stub: StubApiServer = {
    url: '',
    kubeConfig: new KubeConfig(),
    calls: [],
    connections: 0,
    openCalls: 0,
    idle: () => until(() => stub.openCalls === 0),
    async call(index) {
      await until(() => stub.calls.length > index);
      return stub.calls[index] as Call;
    },
    rotate(renewed) {
      if (server instanceof TlsServer) server.setSecureContext(renewed);
      server.closeAllConnections();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stub.url = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  stub.kubeConfig.loadFromClusterAndUser(
    { name: 'stub', server: stub.url, skipTLSVerify: false },
    { name: 'tester', token: 'token-1' },
  );
  onTestFinished(stub.close);
  return stub;
}

/** A transport to the stub, with the shortest waits between tries; ends with the test. */
export function transportTo({ kubeConfig }: StubApiServer, options: Partial<TransportOptions> = {}): Transport {
  const transport = createTransport(kubeConfig, { userAgent: 'tester/1', random: () => 0, ...options });
  onTestFinished(transport.close);
  return transport;
}

async function callOf(request: IncomingMessage, response: ServerResponse): Promise<Call> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stub');
  let body = '';
  for await (const chunk of request) body += chunk;
  const send = (bytes: string) => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' });
    response.write(bytes);
  };
  return {
    method: request.method ?? '',
    path: pathname,
    query: Object.fromEntries(searchParams),
    headers: request.headers,
    body,
    watch: searchParams.get('watch') === 'true',
    remotePort: request.socket.remotePort ?? 0,
    json: (status, answer, headers = {}) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(answer)),
    text: (status, answer) => void response.writeHead(status, { 'content-type': 'text/html' }).end(answer),
    send,
    event: (type, object) => send(`${JSON.stringify({ type, object })}\n`),
    end: (bytes = '') => void response.end(bytes),
    reset: () => void request.socket.resetAndDestroy(),
  };
}

/** A ConfigMap `shop/<name>`. */
export function configMap(name: string, resourceVersion: string, uid = `uid-${name}`): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop', uid, resourceVersion } };
}

/** As the API server lists a built-in kind: the items do not say what they are. */
export function configMapList(resourceVersion: string, items: KubeObject[], next?: string) {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMapList',
    metadata: { resourceVersion, ...(next === undefined ? {} : { continue: next }) },
    items: items.map(({ metadata }) => ({ metadata })),
  };
}

export function status(code: number, reason: string, message: string) {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message };
}
