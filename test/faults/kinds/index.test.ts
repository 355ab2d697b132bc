import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { feedsOfRun } from '../feeds.ts';
import { schedule } from '../schedule.ts';
import { faults } from './index.ts';

const page = readFileSync(new URL('../../../docs/reference/faults.md', import.meta.url), 'utf8');

describe('the kinds of faults', () => {
  test('have names of their own', () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
  });

  test('stand in the reference, each with its own sentence', () => {
    const rows = faults.map(({ name, hits, losesUnproven, doc }) => {
      return `| \`${name}\` | ${hits === 'one' ? 'one feed' : 'all'} | ${losesUnproven ? 'yes' : ''} | ${doc} |`;
    });
    expect(page.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
  });

  test('each fit a feed of a run', () => {
    const planned = schedule('1', faults, feedsOfRun('test'));
    const kinds = new Set(faults.map(() => planned.next().value.kind.name));
    expect(kinds.size).toBe(faults.length);
  });
});
