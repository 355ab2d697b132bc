import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createWorkerReader } from '../../controller/feeds.ts';
import { type Pod, shardLabel } from '../../controller/workload.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

/** A reader of workers that are all this server. */
async function readerOf(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reader = createWorkerReader((server.address() as AddressInfo).port);
  endings.push(
    () => reader.close(),
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return reader;
}

const pod = (name: string, status: Pod['status'] = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { [shardLabel]: '2' } },
  status: { phase: 'Running', podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }], ...status },
});
const said = { exchange: 'binance', streaming: true, message: '', symbols: [], tradesTotal: 1, tradesPerSecond: 0.1 };

describe('the workers', () => {
  test('are asked for their status, each by its own address', async () => {
    const paths: (string | undefined)[] = [];
    const reader = await readerOf((request, response) => {
      paths.push(request.url);
      response.end(JSON.stringify(said));
    });
    const notReady = pod('b', { conditions: [{ type: 'Ready', status: 'False' }] });
    expect(await reader.read([pod('a'), notReady])).toEqual([
      { pod: 'a', shard: 2, ready: true, status: said },
      { pod: 'b', shard: 2, ready: false, status: said },
    ]);
    expect(paths).toEqual(['/status', '/status']);
  });

  test('that do not run, or end, are not asked', async () => {
    const reader = await readerOf((_, response) => response.end(JSON.stringify(said)));
    const ending = pod('c');
    ending.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(await reader.read([pod('a', { phase: 'Pending' }), ending])).toEqual([]);
  });

  test.each<[string, string, RequestListener]>([
    ['not JSON', 'Unexpected token', (_, response) => response.end('<html>')],
    ['other JSON', "not a worker's status: exchange", (_, response) => response.end('{}')],
    ['an error', 'status 500', (_, response) => response.writeHead(500).end('{}')],
    [
      'half an answer',
      'Response body length does not match',
      (_, response) => response.writeHead(200, { 'content-length': 9 }).write('{', () => response.destroy()),
    ],
  ])('that answer with %s are told with: %s', async (_, words, answer) => {
    const reader = await readerOf(answer);
    const [report] = await reader.read([pod('a')]);
    expect(report?.status).toBeInstanceOf(Error);
    expect(String(report?.status)).toContain(words);
  });

  test('that never answer are given up after 2 s', async () => {
    const reader = await readerOf(() => {});
    const start = performance.now();
    const [report] = await reader.read([pod('a')]);
    expect(String(report?.status)).toContain('timeout');
    expect(performance.now() - start).toBeLessThan(4_000);
  });
});
