// Lossless JSON: numbers keep their text, and the elements of an array can be had byte for byte. JSON.parse would round
// ids beyond 2^53 and drop the trailing zeros of a bare price.

/** Frames and answers of exchanges nest at most 6 deep; this bounds the stack. */
export const depthMax = 64;

/** A bare number as it was written: `0.00040000`. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

export type Json = string | boolean | null | JsonNumber | Json[] | JsonObject;
export type JsonObject = { readonly [name: string]: Json | undefined };

/** The text is not JSON, or nests deeper than depthMax. */
export class JsonError extends Error {}

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonNumber);

/**
 * What JSON.parse gives, but for numbers.
 * @throws JsonError and nothing else
 */
export function parseJson(text: string): Json {
  return new Scanner(text, null).document();
}

export interface JsonWithTexts {
  value: Json;
  /** The source text of each element of an array in `value`, character for character, without the space around it. */
  textsOf(array: Json[]): string[];
}

/** @throws JsonError and nothing else */
export function parseJsonWithTexts(text: string): JsonWithTexts {
  const texts = new Map<Json[], string[]>();
  const value = new Scanner(text, texts).document();
  return { value, textsOf: (array) => texts.get(array) ?? [] };
}

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals = new Map([
  ['t', { word: 'true', value: true }],
  ['f', { word: 'false', value: false }],
  ['n', { word: 'null', value: null }],
]);
const quote = 0x22;
const backslash = 0x5c;

class Scanner {
  readonly #text: string;
  readonly #texts: Map<Json[], string[]> | null;
  #at = 0;
  #depth = 0;

  constructor(text: string, texts: Map<Json[], string[]> | null) {
    this.#text = text;
    this.#texts = texts;
  }

  document(): Json {
    this.#skipSpace();
    const value = this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#error();
    return value;
  }

  #value(): Json {
    const first = this.#text[this.#at];
    if (first === '"') return this.#string();
    if (first === '{') return this.#nested(() => this.#object());
    if (first === '[') return this.#nested(() => this.#array());
    const literal = literals.get(first ?? '');
    if (literal === undefined) return this.#number();
    if (!this.#text.startsWith(literal.word, this.#at)) throw this.#error();
    this.#at += literal.word.length;
    return literal.value;
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > depthMax) throw this.#error(`nests deeper than ${depthMax}`);
    this.#at++;
    const value = read();
    this.#depth--;
    return value;
  }

  #object(): JsonObject {
    const object: Record<string, Json> = {};
    this.#skipSpace();
    if (this.#take('}')) return object;
    do {
      this.#skipSpace();
      const name = this.#string();
      this.#skipSpace();
      if (!this.#take(':')) throw this.#error();
      this.#skipSpace();
      const value = this.#value();
      // Assigning to this name would set the prototype instead.
      if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
      else object[name] = value;
      this.#skipSpace();
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#error();
    return object;
  }

  #array(): Json[] {
    const array: Json[] = [];
    const texts: string[] = [];
    this.#skipSpace();
    if (this.#take(']')) return array;
    do {
      this.#skipSpace();
      const start = this.#at;
      array.push(this.#value());
      if (this.#texts) texts.push(this.#text.slice(start, this.#at));
      this.#skipSpace();
    } while (this.#take(','));
    if (!this.#take(']')) throw this.#error();
    this.#texts?.set(array, texts);
    return array;
  }

  #string(): string {
    const start = this.#at;
    if (!this.#take('"')) throw this.#error();
    let hasEscapes = false;
    for (let code = this.#code(); code !== quote; code = this.#code()) {
      // The end of the text is not a number; control characters must be escaped.
      if (!(code >= 0x20)) throw this.#error();
      hasEscapes ||= code === backslash;
      this.#at += code === backslash ? 2 : 1;
    }
    this.#at++;
    if (!hasEscapes) return this.#text.slice(start + 1, this.#at - 1);
    try {
      return JSON.parse(this.#text.slice(start, this.#at));
    } catch {
      throw this.#error();
    }
  }

  #number(): JsonNumber {
    number.lastIndex = this.#at;
    if (!number.test(this.#text)) throw this.#error();
    const start = this.#at;
    this.#at = number.lastIndex;
    return new JsonNumber(this.#text.slice(start, this.#at));
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    for (let code = this.#code(); code === 0x20 || (code >= 0x09 && code <= 0x0d); code = this.#code()) {
      // Of these, JSON has no vertical tab and no form feed.
      if (code === 0x0b || code === 0x0c) return;
      this.#at++;
    }
  }

  #error(problem = 'not JSON'): JsonError {
    return new JsonError(`${problem} at character ${this.#at + 1}`);
  }
}
