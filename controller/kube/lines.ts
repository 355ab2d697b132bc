// Cuts a stream of bytes into lines; a watch sends one JSON object a line.
import { TransportError } from './errors.ts';

const newline = 0x0a;

/**
 * @param bytesMax no line may be longer, so that a peer that never ends a line cannot fill the memory
 * @throws TransportError for a longer line, or when the stream ends in the middle of one
 */
export async function* lines(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const keep = (part: Uint8Array) => {
    parts.push(part);
    bytes += part.length;
    if (bytes > bytesMax) throw new TransportError(`a line is longer than ${bytesMax} bytes`);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      keep(chunk.subarray(start, end));
      if (bytes > 0) yield Buffer.concat(parts, bytes).toString('utf8');
      parts = [];
      bytes = 0;
      start = end + 1;
    }
    keep(chunk.subarray(start));
  }
  if (bytes > 0) throw new TransportError(`the stream ended ${bytes} bytes into a line`);
}
