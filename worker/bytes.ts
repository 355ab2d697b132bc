// Numbers and text as Avro and Kafka's record batches both write them: zigzag base 128, text after its length.
// Callers reserve the room first: writing past the end of a buffer is silent.

/** Bytes of the longest number below. */
export const longBytesMax = 8;

/** Up to this length, the prefix is one byte and a loop is faster than a call into the runtime. */
const shortTextMax = 63;

/** No text takes more, its length included. */
export const textBytesMax = (text: string) => text.length * 3 + longBytesMax;

/**
 * @param value a whole number from -2^52 to 2^53 - 1
 * @returns the position after it
 */
export function writeLong(target: Buffer, at: number, value: number): number {
  // Doubling and halving by powers of two is exact in a double.
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest >= 0x8000_0000) {
    target[at++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 127) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** @returns the position after the text, which is written as UTF-8 after its length */
export function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= shortTextMax) {
    let index = 0;
    for (; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 127) break;
      target[at + 1 + index] = code;
    }
    if (index === length) {
      target[at] = 2 * length;
      return at + 1 + length;
    }
  }
  const start = writeLong(target, at, Buffer.byteLength(text));
  return start + target.write(text, start);
}
