// The small HTTP side of both programs: liveness, readiness, metrics, and whatever JSON a program adds.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

export interface HttpRoutes {
  /** Null: ready; otherwise why not, in one sentence, answered as 503. */
  notReady: () => string | null;
  metrics: Registry;
  /** Path -> what to answer as JSON. */
  json?: Record<string, () => unknown>;
}

export interface HttpServer {
  port: number;
  close(): Promise<void>;
}

/**
 * Serves /healthz (the event loop turns), /readyz, /metrics and the given JSON paths on all interfaces.
 * @throws Error when the port is taken
 */
export async function serveHttp(port: number, routes: HttpRoutes): Promise<HttpServer> {
  const answer = async (path: string): Promise<[status: number, contentType: string, body: string]> => {
    if (path === '/healthz') return [200, 'text/plain', 'ok\n'];
    if (path === '/readyz') {
      const reason = routes.notReady();
      return reason === null ? [200, 'text/plain', 'ok\n'] : [503, 'text/plain', `${reason}\n`];
    }
    if (path === '/metrics') return [200, routes.metrics.contentType, await routes.metrics.metrics()];
    const json = routes.json?.[path];
    if (json) return [200, 'application/json', `${JSON.stringify(json())}\n`];
    return [404, 'text/plain', `no such page: ${path}\n`];
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    answer(path).then(
      ([status, contentType, body]) => response.writeHead(status, { 'content-type': contentType }).end(body),
      (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error}\n`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
