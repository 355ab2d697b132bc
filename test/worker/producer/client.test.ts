import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createClient } from '../../../worker/producer/client.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(onConnection: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const server = createServer(onConnection).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

test('a broker that takes connections and ends them is asked after those that keep them', async () => {
  const ending = await listen((socket) => socket.destroy());
  const steady = await listen(() => {});
  const brokers = [ending, steady];
  const bootstrapServers = brokers.map(({ host, port }) => `${host}:${port}`);
  const client = createClient({ bootstrapServers, clientId: 'test' });
  const ended = once(client.connections, 'disconnect');
  expect((await client.connections.getFirstAvailable(brokers)).port).toBe(ending.port);
  await ended;
  expect((await client.connections.getFirstAvailable(brokers)).port).toBe(steady.port);
  await client.close();
});
