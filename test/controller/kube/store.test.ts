import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStore } from '../../../controller/kube/store.ts';

const words = (text: string) => text.split(' ').filter((word) => word !== '');

test('values are found by each of their index keys, in the order they came, and no longer once they changed', () => {
  const store = createStore(words);
  store.set('1', 'red round');
  store.set('2', 'red');
  expect(store.byIndex('red')).toEqual(['red round', 'red']);
  expect(store.set('1', 'red square')).toBe('red round');
  expect(store.byIndex('red')).toEqual(['red square', 'red']);
  expect(store.byIndex('round')).toEqual([]);
  expect(store.set('2', null)).toBe('red');
  expect(store.byIndex('red')).toEqual(['red square']);
});

test('whatever is set and taken out, an index key finds what a look at all values would', () => {
  const text = fc.array(fc.constantFrom('red', 'blue', 'round'), { maxLength: 3 }).map((some) => some.join(' '));
  const step = fc.tuple(fc.constantFrom('1', '2', '3'), fc.option(text));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (history) => {
      const store = createStore(words);
      for (const [key, value] of history) store.set(key, value);
      for (const word of ['red', 'blue', 'round']) {
        const found = store.list().filter((value) => words(value).includes(word));
        expect(store.byIndex(word).sort()).toEqual(found.sort());
      }
      expect(store.size).toBe([...store.keys()].length);
    }),
  );
});
