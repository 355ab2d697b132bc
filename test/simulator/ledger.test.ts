import { describe, expect, test } from 'vitest';
import { Ledger } from './ledger.ts';

describe('the ledger', () => {
  test('gives back what was sent, byte for byte and in order, and by connection and symbol', () => {
    const ledger = new Ledger(1_000_000);
    const frames = ['{"t":1}', '{"result":null,"id":1}', '{"s":"币安人生USDT"}', ''];
    ledger.append(1, 'BTCUSDT', 1, 1, null, Buffer.from(frames[0] ?? ''));
    ledger.append(2, null, null, 0, null, Buffer.from(frames[1] ?? ''));
    ledger.append(1, '币安人生USDT', 7_000_000_000, 3, 'oversize', Buffer.from(frames[2] ?? ''));
    ledger.append(2, 'BTCUSDT', 0, 1, null, Buffer.from(frames[3] ?? ''));
    expect([...ledger.read(undefined, undefined)]).toEqual([
      { connection: 1, symbol: 'BTCUSDT', id: 1, trades: 1, fault: null, frame: frames[0] },
      { connection: 2, symbol: null, id: null, trades: 0, fault: null, frame: frames[1] },
      { connection: 1, symbol: '币安人生USDT', id: 7_000_000_000, trades: 3, fault: 'oversize', frame: frames[2] },
      { connection: 2, symbol: 'BTCUSDT', id: 0, trades: 1, fault: null, frame: frames[3] },
    ]);
    expect([...ledger.read(2, 'BTCUSDT')].map((sent) => sent.id)).toEqual([0]);
  });

  test('holds frames beyond one chunk, and frames larger than a chunk', () => {
    const ledger = new Ledger(16 * 1024 * 1024);
    const sizes = [700_000, 700_000, 3_000_000, 10];
    for (const [index, size] of sizes.entries()) ledger.append(1, 'A', index, 1, null, Buffer.alloc(size, 48 + index));
    expect([...ledger.read(undefined, undefined)].map(({ frame }) => [frame.length, frame[0], frame.at(-1)])).toEqual([
      [700_000, '0', '0'],
      [700_000, '1', '1'],
      [3_000_000, '2', '2'],
      [10, '3', '3'],
    ]);
  });

  test('keeps nothing after the first frame that did not fit, so has no hole, and counts the rest', () => {
    const ledger = new Ledger(100);
    for (const size of [50, 50, 1]) ledger.append(1, 'A', size, 1, null, Buffer.alloc(size));
    expect(ledger.state()).toEqual({ frames: 1, bytes: 78, bytesMax: 100, framesNotKept: 2 });
    expect([...ledger.read(undefined, undefined)]).toHaveLength(1);
    ledger.clear();
    ledger.append(1, 'A', 1, 1, null, Buffer.alloc(50));
    expect(ledger.state()).toEqual({ frames: 1, bytes: 78, bytesMax: 100, framesNotKept: 0 });
  });

  test('reads what there was when reading began', () => {
    const ledger = new Ledger(16 * 1024 * 1024);
    ledger.append(1, 'A', 1, 1, null, Buffer.alloc(1024 * 1024));
    ledger.append(1, 'A', 2, 1, null, Buffer.from('the second chunk'));
    const reader = ledger.read(undefined, undefined);
    expect(reader.next().value?.id).toBe(1);
    ledger.append(1, 'A', 3, 1, null, Buffer.from('too late'));
    expect(reader.next().value?.id).toBe(2);
    expect(reader.next().done).toBe(true);
  });
});
