// JSON whose numbers are not rounded, and its parts under their names.

export type Fields = Readonly<Record<string, unknown>>;

/** Newer than the declarations: https://tc39.es/proposal-json-parse-with-source/ */
type Reviver = (this: unknown, name: string, value: unknown, context: { source?: string }) => unknown;
const numberAsText: Reviver = (_name, value, { source }) => (typeof value === 'number' ? source : value);

/** A number that may have been rounded: it has to be read from its text. */
class RoundedError extends Error {}

/**
 * Reads JSON by a function that takes its numbers by text(). Whole numbers below 2^53 are exact without their text,
 * which takes three times as long to get.
 * @param decimalsCount the digits of decimals are looked at, also where the number is whole: 2668.00
 * @throws SyntaxError, and what the function throws
 */
export function readExactly<T>(source: string, decimalsCount: boolean, read: (value: unknown) => T): T {
  if (!decimalsCount) {
    try {
      return read(JSON.parse(source));
    } catch (error) {
      if (!(error instanceof RoundedError)) throw error;
    }
  }
  return read(JSON.parse(source, numberAsText as (name: string, value: unknown) => unknown));
}

/** @throws Error which field is not there, or is no object */
export function fields(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name} is not an object`);
  return value as Fields;
}

export function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${name} is not a list`);
  return value;
}

/** Of a text or a number, which stands for its own digits. */
export function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'number') throw new RoundedError(`${name} is rounded`);
  throw new Error(value === undefined ? `${name} is missing` : `${name} is not text`);
}
