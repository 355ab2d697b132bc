import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchMemory } from '../../worker/memory.ts';

const mebibyte = 1024 * 1024;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(usedBytes: number, limitBytes: number, bytes: number): string[] {
  const told: string[] = [];
  const onShort = (why: string) => told.push(why);
  const stop = watchMemory({
    usedBytes: () => usedBytes,
    limitBytes,
    buffered: () => ({ records: 1, bytes }),
    onShort,
  });
  vi.advanceTimersByTime(1500);
  stop();
  vi.advanceTimersByTime(5000);
  return told;
}

test('memory near its limit is told while records wait', () => {
  expect(watched(480 * mebibyte, 512 * mebibyte, 20 * mebibyte)).toEqual(['480 of 512 MiB of memory are used']);
});

test.each([
  ['enough is left', 400, 512, 20],
  ['there is no limit', 480, 0, 20],
  ['it is not the records that take it', 480, 512, 0],
])('nothing is told when %s', (_, used, limit, waiting) => {
  expect(watched(used * mebibyte, limit * mebibyte, waiting * mebibyte)).toEqual([]);
});
