// A reverse proxy in front of a schema registry, as registries are put behind one: TLS, and a password.
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Gateway {
  /** Where the registry's API is behind it. */
  url: string;
  close(): void;
}

export interface GatewayOptions {
  registryUrl: string;
  /** In PEM, for 127.0.0.1. */
  certificate: { key: string; cert: string };
  /** Who may pass. */
  login: { username: string; password: string };
}

export async function startGateway({ registryUrl, certificate, login }: GatewayOptions): Promise<Gateway> {
  const { origin, pathname } = new URL(registryUrl);
  const wanted = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  const server = createServer(certificate, (incoming, outgoing) => {
    if (incoming.headers.authorization !== wanted) {
      outgoing.writeHead(401, { 'www-authenticate': 'Basic' }).end('{"error_code":401,"message":"Unauthorized"}');
      return;
    }
    const { authorization, ...headers } = incoming.headers;
    const { method = 'GET', url = '/' } = incoming;
    const behind = request(`${origin}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    behind.once('error', () => outgoing.writeHead(502).end());
    incoming.pipe(behind);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}${pathname}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
