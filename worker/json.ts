// Lossless JSON: numbers keep their text, and the elements of an array can be had byte for byte. JSON.parse would round
// ids beyond 2^53 and drop the trailing zeros of a bare price; its reviver, which sees the text, takes twice as long.

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

  /** JSON.stringify would give the fields of this object. */
  toJSON(): string {
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

/** The same, but undefined where the text is not JSON. */
export function readJson(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** Why a trade cannot be read: a field of it that is missing, or not what the rule says. */
export function wrong(field: string, value: Json | undefined, rule: string): string {
  return value === undefined ? `trade has no ${field}` : `trade's ${field} ${showJson(value)} is not ${rule}`;
}

/** A value in the reason of an unreadable frame: its JSON, at most 40 characters of it. */
export function showJson(value: Json): string {
  const text = value instanceof JsonNumber ? value.text : JSON.stringify(value);
  return text.slice(0, 40);
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

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

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
    switch (this.#text.charCodeAt(this.#at)) {
      case quote:
        return this.#string();
      case openBrace:
        return this.#object();
      case openBracket:
        return this.#array();
      case 0x74:
        return this.#literal('true', true);
      case 0x66:
        return this.#literal('false', false);
      case 0x6e:
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JsonObject {
    const object: Record<string, Json> = {};
    this.#enter();
    if (!this.#take(closeBrace)) {
      do {
        this.#skipSpace();
        const name = this.#string();
        this.#skipSpace();
        if (!this.#take(colon)) throw this.#error();
        this.#skipSpace();
        const value = this.#value();
        // Assigning to this name would set the prototype instead.
        if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
        else object[name] = value;
        this.#skipSpace();
      } while (this.#take(comma));
      if (!this.#take(closeBrace)) throw this.#error();
    }
    this.#depth--;
    return object;
  }

  #array(): Json[] {
    const array: Json[] = [];
    const texts: string[] = [];
    this.#enter();
    if (!this.#take(closeBracket)) {
      do {
        this.#skipSpace();
        const start = this.#at;
        array.push(this.#value());
        if (this.#texts !== null) texts.push(this.#text.slice(start, this.#at));
        this.#skipSpace();
      } while (this.#take(comma));
      if (!this.#take(closeBracket)) throw this.#error();
    }
    this.#texts?.set(array, texts);
    this.#depth--;
    return array;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(start) !== quote) throw this.#error();
    let end = start + 1;
    let hasEscapes = false;
    for (let code = text.charCodeAt(end); code !== quote; code = text.charCodeAt(end)) {
      if (code === backslash) {
        hasEscapes = true;
        end += 2;
      } else if (code >= 0x20) {
        end++;
      } else {
        // A control character, which must be escaped; or not a number, behind the end of the text.
        this.#at = end;
        throw this.#error();
      }
    }
    this.#at = end + 1;
    if (!hasEscapes) return text.slice(start + 1, end);
    try {
      return JSON.parse(text.slice(start, end + 1));
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

  #literal<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error();
    this.#at += word.length;
    return value;
  }

  /** Behind the opening of an object or array, and the space after it. */
  #enter(): void {
    if (++this.#depth > depthMax) throw this.#error(`nests deeper than ${depthMax}`);
    this.#at++;
    this.#skipSpace();
  }

  #code(): number {
    return this.#text.charCodeAt(this.#at);
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    for (let code = this.#code(); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09; ) {
      this.#at++;
      code = this.#code();
    }
  }

  #error(problem = 'not JSON'): JsonError {
    return new JsonError(`${problem} at character ${this.#at + 1}`);
  }
}
