import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { reasons, sentence, wordsOf } from '../../controller/errors.ts';

test('the reference lists exactly the reasons there are, with condition, class and what to do', () => {
  const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const listed = rows.map((row) => {
    const [reason, condition, kind, , next] = row.slice(2, -2).split(' | ');
    return [reason, condition, kind, next];
  });
  const wanted = Object.entries(reasons).map(([reason, fact]) => [
    `\`${reason}\``,
    `\`${fact.condition}\``,
    fact.class,
    fact.next || '-',
  ]);
  expect(listed).toEqual(wanted);
});

describe('a message', () => {
  test('says what was seen, then what to do', () => {
    expect(sentence('WorkerCrashing', 'x-0 ended once.')).toBe(
      "x-0 ended once. Look into the worker's log with kubectl logs --previous.",
    );
  });

  test('ends with what was seen where there is nothing to do', () => {
    expect(sentence('FeedReady', '2 symbols stream')).toBe('2 symbols stream.');
  });

  test('stays within what the CRD allows, however long the words of the other side', () => {
    for (const reason of Object.keys(reasons)) {
      expect(sentence(reason as keyof typeof reasons, 'x'.repeat(10_000)).length).toBeLessThan(4096);
    }
  });
});

test('what an error says is found where clients hide it', () => {
  expect(wordsOf(new Error('refused'))).toBe('refused');
  expect(wordsOf(new AggregateError([new Error('a'), new Error('b'), new Error('a')]))).toBe('a; b');
  expect(wordsOf('text')).toBe('text');
});
