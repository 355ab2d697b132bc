// Compares what the simulator says it sent with what stands in the two topics. Used on every end-to-end path.
import { expect } from 'vitest';
import type { SentFrame } from '../simulator/control.ts';
import type { ConsumedRecord } from './bed.ts';
import { expectedOf, isProduct, type Normalized } from './trade-oracle.ts';

export const canonicalSymbols: Record<string, string> = {
  BTCUSDT: 'BTC/USDT',
  ETHUSDT: 'ETH/USDT',
  BNBUSDT: 'BNB/USDT',
};

function bySymbol<T>(items: T[], symbolOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, symbolOf);
}

/** Every frame sent is one raw record, byte for byte, in the order of sending per symbol, and nothing else is there. */
export function expectRawEqual(sent: SentFrame[], raw: ConsumedRecord[]): void {
  const trades = sent.filter((frame) => frame.symbol !== null);
  expect(raw.length).toBe(trades.length);
  const records = bySymbol(raw, (record) => record.key ?? '');
  for (const [symbol, frames] of bySymbol(trades, (frame) => frame.symbol ?? '')) {
    const values = (records.get(symbol) ?? []).map((record) => Buffer.from(record.value ?? '', 'base64').toString());
    expect(values).toEqual(frames.map((frame) => frame.frame));
  }
  for (const record of raw) {
    const receivedUs = Number(record.headers['k2-received-us']);
    expect(Math.floor(receivedUs / 1000)).toBe(record.timestampMs);
    expect(record.headers['k2-connection']).toMatch(/\S/);
  }
}

/** Every trade sent is one normalized record, field for field, in order per symbol, and nothing else is there. */
export function expectNormalizedEqual(sent: SentFrame[], normalized: ConsumedRecord[]): void {
  const trades = sent.filter((frame) => frame.symbol !== null);
  expect(normalized.length).toBe(trades.length);
  const records = bySymbol(normalized, (record) => record.key ?? '');
  for (const [symbol, frames] of bySymbol(trades, (frame) => frame.symbol ?? '')) {
    const decoded = (records.get(symbol) ?? []).map((record) => record.avro as Normalized);
    const fields = decoded.map(({ quote_volume: _, timestamp: __, metadata: ___, ...rest }) => rest);
    expect(fields).toEqual(frames.map((frame) => expectedOf(frame.frame, canonicalSymbols)));
    for (const [index, trade] of decoded.entries()) {
      const where = `${symbol} ${trade.trade_id}: ${trade.quote_volume} = ${trade.price} * ${trade.quantity}`;
      expect(isProduct(trade.quote_volume, trade.price, trade.quantity), where).toBe(true);
      expect(trade.metadata?.is_buyer_maker).toBe(trade.side === 'SELL');
      expect(Object.keys(trade).length).toBe(12);
      expect(frames[index]?.id?.toString()).toBe(trade.trade_id);
    }
  }
}
