import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { requestText } from '../../runtime/request.ts';
import { createAuthority } from '../controller/kube/certificate.ts';

const authority = createAuthority('test');
const open = { ca: null, login: null, timeoutMs: 10_000 };
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const echo: RequestListener = async (request, response) => {
  const body = (await request.toArray()).join('');
  const { authorization } = request.headers;
  response.writeHead(authorization === undefined ? 401 : 200).end(`${request.method} ${authorization} ${body}`);
};

test('a request goes with its method, body and password, and brings status and text', async () => {
  const url = `http://127.0.0.1:${await listen(createHttpServer(echo))}/`;
  const login = { username: 'worker', password: 'a:b' };
  expect(await requestText(url, { ...open, method: 'POST', body: 'x', login })).toEqual({
    status: 200,
    body: `POST Basic ${Buffer.from('worker:a:b').toString('base64')} x`,
  });
  expect(await requestText(url, open)).toMatchObject({ status: 401 });
});

test('a server whose authority was given is believed, and no other', async () => {
  const url = `https://127.0.0.1:${await listen(createHttpsServer(authority.issue('registry'), echo))}/`;
  expect(await requestText(url, { ...open, ca: authority.cert })).toMatchObject({ status: 401 });
  const unknown = { ...open, ca: createAuthority('other').cert };
  await expect(requestText(url, unknown)).rejects.toThrow('unable to verify the first certificate');
  await expect(requestText(url, open)).rejects.toThrow('unable to verify the first certificate');
});

test('an expired certificate is not believed', async () => {
  const expired = authority.issue('registry', new Date('2021-01-01T00:00:00Z'));
  const url = `https://127.0.0.1:${await listen(createHttpsServer(expired, echo))}/`;
  await expect(requestText(url, { ...open, ca: authority.cert })).rejects.toThrow('certificate has expired');
});

test('a server that says nothing is given up, and one that is away named', async () => {
  const url = `http://127.0.0.1:${await listen(createHttpServer(() => {}))}/`;
  await expect(requestText(url, { ...open, timeoutMs: 50 })).rejects.toThrow('no answer in 50 ms');
  await expect(requestText('http://127.0.0.1:1/', open)).rejects.toThrow('connect ECONNREFUSED 127.0.0.1:1');
});

test('an answer that is too long is not kept', async () => {
  const endless = createHttpServer((_, response) => {
    response.on('close', () => response.destroy());
    const write = () => {
      if (!response.destroyed && response.write('x'.repeat(65_536))) setImmediate(write);
      else response.once('drain', write);
    };
    write();
  });
  const url = `http://127.0.0.1:${await listen(endless)}/`;
  await expect(requestText(url, open)).rejects.toThrow('the answer is longer than 4194304 bytes');
});
