import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { RetryLaterError } from '../../worker/errors.ts';
import { get } from '../../worker/rest.ts';

const never = new AbortController().signal;
let server: Server;
afterEach(() => server.close());

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const failureOf = async (url: string) => {
  const error: unknown = await get(url, never).catch((reason: unknown) => reason);
  return error instanceof RetryLaterError ? error.retryAfterMs : error;
};

describe('an exchange that is asked too often', () => {
  test.each([
    [429, '7', 7000],
    [418, '120', 120_000],
    [503, '3', 3000],
    [429, undefined, 60_000],
    [418, undefined, 60_000],
    [403, undefined, 60_000],
    [429, '999999999', 3 * 86_400_000],
  ])('with status %s and Retry-After %s is left alone for %s ms', async (status, retryAfter, expected) => {
    const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    const url = await serve((_, response) => response.writeHead(status, headers).end('slow down'));
    expect(await failureOf(url)).toBe(expected);
  });
});

test('other answers are given as they are, also errors', async () => {
  const url = await serve((_, response) => response.writeHead(400).end('{"code":-1121}'));
  expect(await get(url, never)).toEqual({ status: 400, body: '{"code":-1121}' });
});

test('an endless answer is not read to its end', async () => {
  const chunk = Buffer.alloc(1024 * 1024, ' ');
  const url = await serve((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  });
  expect(String(await failureOf(url))).toContain('answer is longer than 33554432 bytes');
});
