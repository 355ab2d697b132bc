import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRegistry } from '../../api/secrets.ts';
import { TerminalError } from '../../worker/errors.ts';
import { registerSchema } from '../../worker/subjects.ts';

let server: Server;
let url: string;
let answer: { status: number; body: string };
let requests: { path: string | undefined; body: string }[];

beforeEach(async () => {
  requests = [];
  server = createServer(async (request: IncomingMessage, response) => {
    const body = (await request.toArray()).join('');
    requests.push({ path: `${request.method} ${request.url}`, body });
    response.writeHead(answer.status).end(answer.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/apis/ccompat/v7/`;
});
afterEach(() => {
  server.close();
});
const registry = () => ({ url, access: () => openRegistry });

test('a schema is registered under its subject, and its id returned', async () => {
  answer = { status: 200, body: '{"id":17}' };
  expect(await registerSchema(registry(), 'a b-value', '{"type":"string"}')).toBe(17);
  expect(requests).toEqual([
    { path: 'POST /apis/ccompat/v7/subjects/a%20b-value/versions', body: '{"schema":"{\\"type\\":\\"string\\"}"}' },
  ]);
});

test.each([409, 422])('a refusal with %i is terminal and carries the words of the registry', async (status) => {
  answer = { status, body: '{"message":"reader field missing"}' };
  const error = await registerSchema(registry(), 's-value', '"string"').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TerminalError);
  expect(String(error)).toContain(
    `refuses the schema of s-value (status ${status}): {"message":"reader field missing"}`,
  );
});

test.each([
  [500, 'oops'],
  [200, '<html>'],
  [200, '{"id":"17"}'],
])('an answer of %i with %s can be repeated', async (status, body) => {
  answer = { status, body };
  const error = await registerSchema(registry(), 's-value', '"string"').catch((reason: unknown) => reason);
  expect(error).not.toBeInstanceOf(TerminalError);
  expect(String(error)).toContain(`answers s-value with ${status}: ${body}`);
});

test('a registry that is away is named, with the reason', async () => {
  server.close();
  await once(server, 'close');
  await expect(registerSchema(registry(), 's-value', '"string"')).rejects.toThrow(
    /^schema registry http:\S+ does not answer: .*ECONNREFUSED/,
  );
});
