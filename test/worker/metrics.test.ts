import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createMetrics } from '../../worker/metrics.ts';
import { Status } from '../../worker/status.ts';

const page = readFileSync(new URL('../../docs/reference/worker-metrics.md', import.meta.url), 'utf8');

function create() {
  const symbols = ['BTCUSDT', 'ETHUSDT'];
  const status = new Status({ exchange: 'binance', symbols, topicNormalized: 'normalized', monotonicMs: () => 0 });
  return { status, metrics: createMetrics({ status, buffered: () => ({ records: 3, bytes: 500 }) }) };
}

test('the reference lists exactly the metrics there are, with type and meaning', async () => {
  const documented = [...page.matchAll(/^\| `(k2_\w+)` \| (\w+) \|[^|]*\| (.+) \|$/gm)].map(([, name, type, help]) => ({
    name,
    type,
    help,
  }));
  const all = await create().metrics.registry.getMetricsAsJSON();
  const ours = all.filter(({ name }) => name.startsWith('k2_')).map(({ name, type, help }) => ({ name, type, help }));
  expect(documented).toEqual(ours);
});

test('states and buffers are read at each scrape', async () => {
  const { status, metrics } = create();
  status.report('connection', null);
  status.setSymbols(['ETHUSDT'], 'subscribed');
  const exchangeTimeMs = 1723161255342;
  const record = {
    topic: 'normalized',
    key: 'ETHUSDT',
    value: Buffer.alloc(0),
    headers: [],
    timeMs: 0,
    exchangeTimeMs,
  };
  status.delivered([record]);
  const lines = (await metrics.registry.metrics()).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'k2_worker_streaming 1',
      'k2_worker_symbols{state="subscribed"} 1',
      'k2_worker_symbols{state="pending"} 1',
      'k2_worker_last_trade_timestamp_seconds{symbol="ETHUSDT"} 1723161255.342',
      'k2_worker_buffer_records 3',
      'k2_worker_buffer_bytes 500',
    ]),
  );
});
