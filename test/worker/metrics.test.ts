import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { continuityStatus } from '../../worker/completeness.ts';
import { binance } from '../../worker/exchanges/binance.ts';
import { createMetrics } from '../../worker/metrics.ts';
import { Status } from '../../worker/status.ts';
import { Symbols } from '../../worker/symbols.ts';
import type { Trade } from '../../worker/trade.ts';

const page = readFileSync(new URL('../../docs/reference/worker-metrics.md', import.meta.url), 'utf8');

function create() {
  const symbols = ['BTCUSDT', 'ETHUSDT'];
  const known = new Symbols(binance);
  const topics = { topicRaw: 'raw', topicNormalized: 'normalized' };
  const continuityOf = () => continuityStatus(undefined, binance.continuity);
  const status = new Status({ exchange: 'binance', symbols, ...topics, continuityOf, monotonicMs: () => 0 });
  const buffered = () => ({ records: 3, bytes: 500 });
  const kept = () => ({ frames: 2, bytes: 700 });
  const sources = { status, symbols: known, buffered, kept, ownerSilenceMs: () => 2500 };
  return { status, symbols: known, metrics: createMetrics(sources) };
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

const trade: Trade = {
  symbol: 'ETHUSDT',
  tradeId: '1',
  price: '1',
  quantity: '1',
  side: 'BUY',
  exchangeTimeMs: 0,
  sequenceNumber: null,
  isBuyerMaker: null,
  buyerOrderId: null,
  sellerOrderId: null,
};

test('states, gaps and buffers are read at each scrape', async () => {
  const { status, symbols, metrics } = create();
  symbols.learn({ symbol: 'ETHUSDT', canonicalSymbol: 'ETH/USDT' }, undefined, 0);
  for (const tradeId of ['1', '5']) symbols.admit([{ ...trade, tradeId }], 0);
  status.report('connection', null);
  status.setSymbols(['ETHUSDT'], 'subscribed');
  status.setOwner();
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
      'k2_worker_owner 1',
      'k2_worker_owner_silence_seconds 2.5',
      'k2_worker_standby_frames 2',
      'k2_worker_standby_bytes 700',
      'k2_worker_symbols{state="subscribed"} 1',
      'k2_worker_symbols{state="pending"} 1',
      'k2_worker_last_trade_timestamp_seconds{symbol="ETHUSDT"} 1723161255.342',
      'k2_worker_missing_trades{symbol="ETHUSDT"} 3',
      'k2_worker_gaps{state="open"} 1',
      'k2_worker_gaps{state="lost"} 0',
      'k2_worker_buffer_records 3',
      'k2_worker_buffer_bytes 500',
    ]),
  );
});
