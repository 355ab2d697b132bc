import { expect, test } from 'vitest';
import { StandbyBuffer, standbyAgeMsMax, standbyBytesMax } from '../../worker/standby-buffer.ts';

test('gives back what was kept, oldest first, and only once', () => {
  const buffer = new StandbyBuffer<string>();
  for (const frame of ['a', 'b', 'c']) buffer.keep(frame, 100, 0);
  expect(buffer.size().frames).toBe(3);
  expect(buffer.oldest()).toBe('a');
  expect(buffer.size().bytes).toBeGreaterThanOrEqual(300);
  expect(buffer.take()).toEqual(['a', 'b', 'c']);
  expect(buffer.size()).toEqual({ frames: 0, bytes: 0 });
  expect([buffer.take(), buffer.oldest()]).toEqual([[], undefined]);
});

test('lets go of what is older than its age', () => {
  const buffer = new StandbyBuffer<number>();
  for (let second = 0; second <= 100; second++) buffer.keep(second, 100, second * 1000);
  const oldest = 100 - standbyAgeMsMax / 1000;
  expect(buffer.take()).toEqual(Array.from({ length: 101 - oldest }, (_, index) => oldest + index));
});

test('holds no more bytes than its bound, and always the newest', () => {
  const buffer = new StandbyBuffer<number>();
  const count = 200_000;
  for (let frame = 0; frame < count; frame++) {
    buffer.keep(frame, 200, 0);
    if (buffer.size().bytes > standbyBytesMax) throw new Error(`${buffer.size().bytes} bytes after frame ${frame}`);
  }
  const { frames, bytes } = buffer.size();
  expect(bytes).toBeGreaterThan(standbyBytesMax * 0.9);
  const kept = buffer.take();
  expect(kept).toEqual(Array.from({ length: frames }, (_, index) => count - frames + index));
});

test('counts small frames for what they take beside their bytes', () => {
  const buffer = new StandbyBuffer<number>();
  for (let frame = 0; frame < 200_000; frame++) buffer.keep(frame, 1, 0);
  expect(buffer.size().frames).toBeLessThan(standbyBytesMax / 100);
});
