// The generator of the schema and the reference page of the chart's values: what it makes of comments and defaults.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  pagePath,
  pageText,
  readValues,
  type Schema,
  schemaPath,
  schemaText,
  type Value,
  valuesPath,
} from '../../scripts/generate-chart-values.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const flat = (values: Value[]): Value[] => values.flatMap((value) => [value, ...flat(value.children)]);
const schemaFrom = (text: string) => JSON.parse(schemaText(readValues(text))) as Schema;

const example = `\
# About the file.

# == First part

# What a is for,
# in two lines.
a: 1

# A group.
b:
  # Texts.
  # @schema texts
  c: {}
  # With a default of its own.
  d:
    e: 1m
    f:
      g: x

# == Second part

# A choice.
# @schema {enum: [x, y]}
h: x
`;

describe('the chart', () => {
  const values = readValues(read(valuesPath));

  test.each([
    [schemaPath, schemaText(values)],
    [pagePath, pageText(values)],
  ])('has a %s that is what its generator writes', (path, text) => {
    expect(read(path) === text, `${path} is old: run node scripts/generate-chart-values.ts`).toBe(true);
  });

  test('has every value of values.yaml in its page, with the default that is there', () => {
    const at = (path: string) =>
      path
        .split('.')
        .reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], parse(read(valuesPath)));
    const all = flat(values);
    expect(all.length).toBeGreaterThan(80);
    for (const { path, default: value } of all) expect(value, path).toEqual(at(path));
  });

  test('says of each value in a sentence what it is for', () => {
    expect(
      flat(values)
        .filter(({ words }) => !/^[A-Z].*\.$/.test(words) && !words.startsWith('sha256'))
        .map(({ path }) => path),
    ).toEqual([]);
  });
});

describe('the generator', () => {
  test('knows groups, values, their words and sections, and leaves defaults whole', () => {
    const found = flat(readValues(example)).map(({ path, section, words, children }) => [
      path,
      section,
      words,
      children.length,
    ]);
    expect(found).toEqual([
      ['a', 'First part', 'What a is for, in two lines.', 0],
      ['b', 'First part', 'A group.', 2],
      ['b.c', 'First part', 'Texts.', 0],
      ['b.d', 'First part', 'With a default of its own.', 0],
      ['h', 'Second part', 'A choice.', 0],
    ]);
  });

  test('closes every group, and narrows a type by what the comment says', () => {
    const { properties, ...top } = schemaFrom(example);
    expect(top).toMatchObject({ type: 'object', additionalProperties: false, required: ['a', 'b', 'h'] });
    expect(properties).toEqual({
      a: { description: 'What a is for, in two lines.', type: 'integer' },
      b: {
        description: 'A group.',
        type: 'object',
        additionalProperties: false,
        required: ['c', 'd'],
        properties: {
          c: { description: 'Texts.', type: 'object', additionalProperties: { type: 'string' } },
          d: { description: 'With a default of its own.', type: 'object' },
        },
      },
      h: { description: 'A choice.', type: 'string', enum: ['x', 'y'] },
    });
  });

  test('writes a table for each section, with choices for a type where there are some', () => {
    const page = pageText(readValues(example));
    expect(page).toContain('## Second part\n\n| value | type | default | meaning |\n|---|---|---|---|\n');
    expect(page).toContain('| `a` | integer | `1` | What a is for, in two lines. |\n| **b** | | | A group. |\n');
    expect(page).toContain('| `b.d` | object | `{"e":"1m","f":{"g":"x"}}` | With a default of its own. |');
    expect(page).toContain('| `h` | `x`, `y` | `"x"` | A choice. |');
  });

  test.each([
    ['a: 1\n', 'a: say in a comment above it'],
    ['# A group.\na:\n  # Described.\n  b: 1\n  c: 2\n', 'a.c: say in a comment above it'],
    ['# A group.\na:\n  b: 1\n  # Described.\n  c: 2\n', 'a.b: say in a comment above it'],
    ['# Nothing.\na:\n', 'a: the default null implies no type'],
    ['# Half.\na: 1.5\n', 'a: the default 1.5 implies no type'],
    ['# Named.\n# @schema text\na: ""\n', '@schema text: use a map, or one of objectName, namespace'],
  ])('refuses values that it would leave out or could not describe: %j', (text, words) => {
    expect(() => readValues(text)).toThrow(words);
  });
});
