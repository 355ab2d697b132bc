import { Counter, Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HttpServer, serveHttp } from '../../runtime/http.ts';

let server: HttpServer;
let problem: string | null;

beforeEach(async () => {
  problem = null;
  const metrics = new Registry();
  new Counter({ name: 'k2_test_things_total', help: 'Things.', registers: [metrics] }).inc(3);
  const fail = () => {
    throw new Error('broken page');
  };
  server = await serveHttp(0, {
    notReady: () => problem,
    metrics,
    json: { '/status': () => ({ a: 1 }), '/broken': fail },
  });
});
afterEach(() => server.close());

async function get(path: string) {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

test('/healthz answers while the process works', async () => {
  expect(await get('/healthz')).toEqual({ status: 200, type: 'text/plain', body: 'ok\n' });
});

test('/readyz says why not', async () => {
  expect((await get('/readyz')).status).toBe(200);
  problem = 'the broker is away';
  expect(await get('/readyz')).toEqual({ status: 503, type: 'text/plain', body: 'the broker is away\n' });
  expect((await get('/healthz')).status).toBe(200);
});

test('/metrics has the registry in the Prometheus format', async () => {
  const { type, body } = await get('/metrics');
  expect(type).toContain('text/plain; version=0.0.4');
  expect(body).toContain('k2_test_things_total 3');
});

test('other pages are JSON, whatever the query', async () => {
  expect(await get('/status?pretty')).toEqual({ status: 200, type: 'application/json', body: '{"a":1}\n' });
});

test('an unknown page is 404, a broken one 500', async () => {
  expect((await get('/nothing')).status).toBe(404);
  expect(await get('/broken')).toMatchObject({ status: 500, body: 'Error: broken page\n' });
});

test('a taken port is an error', async () => {
  const routes = { notReady: () => null, metrics: new Registry() };
  await expect(serveHttp(server.port, routes)).rejects.toThrow('EADDRINUSE');
});
