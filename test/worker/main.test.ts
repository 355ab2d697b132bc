import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startWorker, type WorkerProcess } from './process.ts';

const environment = {
  K2_EXCHANGE: 'binance',
  K2_SYMBOLS: 'BTCUSDT',
  K2_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
  K2_KAFKA_SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1',
  K2_EXCHANGE_WEBSOCKET_URL: 'ws://127.0.0.1:1',
  K2_EXCHANGE_REST_URL: 'http://127.0.0.1:1',
};

/** Starting a process takes a second, and many on a busy machine. */
vi.setConfig({ testTimeout: 30_000 });

let worker: WorkerProcess | null = null;
afterEach(async () => {
  worker?.child.kill('SIGKILL');
  await worker?.exited;
  worker = null;
});

describe('a bad configuration ends the worker at once with code 2 and one line:', () => {
  test.each([
    [{ K2_SYMBOLS: '' }, 'K2_SYMBOLS: is not set; for example K2_SYMBOLS=BTCUSDT,ETHUSDT\n'],
    [{ K2_EXCHANGE: 'nyse' }, /^K2_EXCHANGE: 'nyse' is not one of .*binance.*; for example K2_EXCHANGE=binance\n$/],
    [
      { K2_SCHEMA_PATH: '/nowhere' },
      /^K2_SCHEMA_PATH: '\/nowhere' has no readable binance-trade\.avsc \(ENOENT.*\); for example \S+schemas\n$/,
    ],
  ])('%j', async (change, line) => {
    worker = startWorker({ ...environment, ...change });
    expect(await worker.exited).toBe(2);
    expect(worker.stderr()).toMatch(line);
    expect(worker.log).toEqual([]);
  });
});

test('a taken port ends the worker with code 1 and one line', async () => {
  const server = createServer().listen(0);
  await once(server, 'listening');
  worker = startWorker({ ...environment, K2_HTTP_PORT: String((server.address() as AddressInfo).port) });
  expect(await worker.exited).toBe(1);
  expect(worker.log.at(-1)?.msg).toContain('EADDRINUSE');
  server.close();
});

test('with nothing there the worker stays up, says what is missing, and ends cleanly on SIGTERM', async () => {
  worker = startWorker({ ...environment, K2_SYMBOL: 'BTCUSDT' });
  await worker.logged(({ msg }) => msg.startsWith('broker 127.0.0.1:1 does not answer'));
  await worker.logged(({ msg }) => msg.startsWith('schema registry http://127.0.0.1:1 does not answer'));
  expect(worker.log).toContainEqual(expect.objectContaining({ level: 'warn', variables: ['K2_SYMBOL'] }));
  expect((await worker.get('/healthz')).status).toBe(200);
  expect(await worker.get('/readyz')).toEqual({
    status: 503,
    body: expect.stringMatching(/^broker 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/),
  });
  expect(JSON.parse((await worker.get('/status')).body)).toMatchObject({ exchange: 'binance', streaming: false });
  worker.child.kill('SIGTERM');
  expect(await worker.exited).toBe(0);
  expect(worker.stderr()).toBe('');
});
