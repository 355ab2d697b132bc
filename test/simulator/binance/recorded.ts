// A recorded Binance frame, in the two forms in which it may have to be sent again. Bytes are cut out or put around,
// never rewritten.
import { envelope } from './frames.ts';

export interface RecordedForms {
  stream: string;
  symbol: string | null;
  /** Trade id; null for what is not a trade. */
  id: number | null;
  combined: Buffer;
  raw: Buffer;
}

const envelopePattern = /^\{"stream":"([^"]+)","data":(.*)\}$/s;

/** Null for a frame that belongs to no stream, such as an acknowledgement. */
export function recordedForms(text: string): RecordedForms | null {
  const [, named, inner] = envelopePattern.exec(text) ?? [];
  const payload = inner ?? text;
  let event: { e?: unknown; s?: unknown; t?: unknown } | null;
  try {
    event = JSON.parse(payload);
  } catch {
    return null;
  }
  const symbol = typeof event?.s === 'string' ? event.s : null;
  const derived = symbol !== null && typeof event?.e === 'string' ? `${symbol.toLowerCase()}@${event.e}` : undefined;
  const stream = named ?? derived;
  if (stream === undefined) return null;
  const id = event?.e === 'trade' && typeof event.t === 'number' ? event.t : null;
  const combined = Buffer.from(named === undefined ? envelope(stream, payload) : text);
  return { stream, symbol, id, combined, raw: Buffer.from(payload) };
}
