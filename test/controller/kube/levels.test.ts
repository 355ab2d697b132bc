import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLevels, type Level } from '../../../controller/kube/levels.ts';

test('a low key is taken after as many takes as four times its place, whatever else is added meanwhile', () => {
  const floods = fc.array(fc.nat(3), { minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), floods, (place, flood) => {
      const levels = createLevels();
      for (let i = 1; i <= place; i++) levels.set(`low-${i}`, { level: 'low', addedMs: 0 });
      let takes = 0;
      for (const [step, count] of flood.entries()) {
        for (let i = 0; i < count; i++) levels.set(`normal-${step}-${i}`, { level: 'normal', addedMs: 0 });
        takes++;
        if (levels.take()?.[0] === `low-${place}`) break;
      }
      expect(takes).toBeLessThanOrEqual(4 * place);
    }),
  );
});

test('a key waits in one line only, the last that it was put into', () => {
  const levels = createLevels();
  const put = (key: string, level: Level) => levels.set(key, { level, addedMs: 0 });
  put('a', 'low');
  put('b', 'normal');
  put('a', 'normal');
  expect(levels.size).toBe(2);
  expect([levels.take()?.[0], levels.take()?.[0], levels.take()]).toEqual(['b', 'a', undefined]);
});
