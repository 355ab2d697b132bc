import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  depthMax,
  isJsonObject,
  type Json,
  JsonError,
  JsonNumber,
  parseJson,
  parseJsonWithTexts,
  readJson,
  showJson,
} from '../../worker/json.ts';

/** The value as JSON.parse gives it: numbers as floats. */
function withFloats(value: Json | undefined): unknown {
  if (value instanceof JsonNumber) return JSON.parse(value.text);
  if (Array.isArray(value)) return value.map(withFloats);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withFloats(field)]));
}

const outcome = (read: () => unknown) => {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
};

/** JSON with space between its tokens, numbers as people write them, and names that mean something to JavaScript. */
const spacedJson = fc.letrec<{ value: string }>((tie) => {
  const space = fc.constantFrom('', '', '', ' ', '\t\r\n');
  const number = fc.stringMatching(/^-?(0|[1-9]\d{0,20})(\.\d{1,12})?([eE][+-]?\d{1,3})?$/);
  const name = fc
    .oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'length', ''))
    .map((s) => JSON.stringify(s));
  const text = fc.string({ unit: 'binary' }).map((s) => JSON.stringify(s));
  const join = (open: string, parts: string[], close: string, gap: string) =>
    `${open}${gap}${parts.join(`${gap},${gap}`)}${gap}${close}`;
  const array = fc.tuple(fc.array(tie('value'), { maxLength: 4 }), space).map(([all, gap]) => join('[', all, ']', gap));
  const member = fc.tuple(name, space, tie('value')).map(([key, gap, value]) => `${key}${gap}:${gap}${value}`);
  const object = fc.tuple(fc.array(member, { maxLength: 4 }), space).map(([all, gap]) => join('{', all, '}', gap));
  const scalar = fc.oneof(number, text, fc.constantFrom('true', 'false', 'null'));
  return { value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, array, object) };
}).value;

describe('parseJson', () => {
  test.each(['0.00040000', '83344.2', '11315962367609298897', '-0', '1e-8', '0.000000000000000000010'])(
    'keeps the number %s as it was written',
    (text) => {
      expect(parseJson(`{"price": ${text} }`)).toEqual({ price: new JsonNumber(text) });
    },
  );

  test('tells a number from its text', () => {
    expect(parseJson('[1,"1"]')).toEqual([new JsonNumber('1'), '1']);
    expect(`${parseJson('0.10')}`).toBe('0.10');
    expect(isJsonObject(parseJson('1'))).toBe(false);
  });

  test('keeps a member of any name apart from what objects inherit', () => {
    const value = parseJson('{"__proto__":{"side":"buy"},"__proto__":{"side":"sell"}}');
    expect(isJsonObject(value) && value.side).toBe(undefined);
    expect(Object.entries(value ?? {})).toEqual([['__proto__', { side: 'sell' }]]);
  });

  test.each([
    ['', 1],
    ['{"a":1', 7],
    ['{"a" 1}', 6],
    ['[1,]', 4],
    ['[1 2]', 4],
    ['01', 2],
    ['1.', 2],
    ['"a', 3],
    ['"\n"', 2],
    ['nul', 1],
    ['pong', 1],
    ['{} {}', 4],
  ])('says where %j stops being JSON', (text, at) => {
    expect(() => parseJson(text)).toThrow(new JsonError(`not JSON at character ${at}`));
  });

  test('reads what nests as deep as it says, and refuses what nests deeper instead of running out of stack', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(withFloats(parseJson(nested(depthMax)))).toEqual(JSON.parse(nested(depthMax)));
    expect(() => parseJson(nested(depthMax + 1))).toThrow(`nests deeper than ${depthMax}`);
    expect(() => parseJson('[{"a":'.repeat(1_000_000))).toThrow(JsonError);
  });

  test('gives of any JSON what JSON.parse gives, numbers aside', () => {
    fc.assert(
      fc.property(spacedJson, (text) => {
        expect(withFloats(parseJson(text))).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });

  test('accepts of any text what JSON.parse accepts, and throws nothing but its own error', () => {
    const mutation = fc
      .tuple(spacedJson, fc.nat(), fc.nat(3), fc.string({ maxLength: 2 }))
      .map(([text, at, cut, put]) => {
        const start = at % (text.length + 1);
        return text.slice(0, start) + put + text.slice(start + cut);
      });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), mutation), (text) => {
        const expected = outcome(() => JSON.parse(text));
        const read = outcome(() => withFloats(parseJson(text)));
        if ('error' in expected) expect(read.error).toBeInstanceOf(JsonError);
        else expect(read).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

test('readJson gives undefined for what is not JSON', () => {
  expect(readJson('{"side":"buy"}')).toEqual({ side: 'buy' });
  expect(readJson('null')).toBe(null);
  expect(readJson('pong')).toBe(undefined);
});

test.each([
  ['1.50', '1.50'],
  ['"1.50"', '"1.50"'],
  ['null', 'null'],
  ['{"toString":1}', '{"toString":"1"}'],
  [`"${'x'.repeat(60_000)}"`, `"${'x'.repeat(39)}`],
])('showJson shows a value in 40 characters: %s', (text, shown) => {
  expect(showJson(parseJson(text))).toBe(shown);
});

describe('parseJsonWithTexts', () => {
  test('gives the elements of an array as they were written', () => {
    const { value, textsOf } = parseJsonWithTexts(
      '{"result" : {"XXBTZUSD":[ ["30243.40000", 1.50] ,\n{"a":\t"]"}, 7 ],"last":"1"}}',
    );
    const result = isJsonObject(value) && isJsonObject(value.result) ? value.result : {};
    const rows = result.XXBTZUSD;
    expect(Array.isArray(rows) && textsOf(rows)).toEqual(['["30243.40000", 1.50]', '{"a":\t"]"}', '7']);
  });

  test('gives of any array texts that are in the source and read as its elements', () => {
    fc.assert(
      fc.property(fc.array(spacedJson), fc.constantFrom('', ' ', '\n'), (elements, gap) => {
        const { value, textsOf } = parseJsonWithTexts(`[${elements.map((text) => gap + text + gap).join(',')}]`);
        expect(Array.isArray(value) && textsOf(value)).toEqual(elements);
      }),
    );
  });

  test('has no texts of an array that is not in the source', () => {
    expect(parseJsonWithTexts('[1]').textsOf([])).toEqual([]);
  });
});
