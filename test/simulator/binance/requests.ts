// What a client may say on the WebSocket, and how Binance answers what it cannot read. Pure.
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#live-subscribingunsubscribing-to-streams
import type { Settings } from '../settings.ts';

/** JSON text of a request's id, so that 64-bit ones are answered as they came. */
export type RequestId = string;

export type Request =
  | { method: 'SUBSCRIBE' | 'UNSUBSCRIBE'; streams: string[]; id: RequestId }
  | { method: 'LIST_SUBSCRIPTIONS'; id: RequestId }
  | { method: 'SET_PROPERTY'; combined: boolean; id: RequestId }
  | { method: 'GET_PROPERTY'; id: RequestId }
  | { method: 'invalid'; code: number; message: string; id: RequestId | undefined };

const methods = ['SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY'];

/** A 64-bit integer, at most 36 letters and digits (UUIDs with their dashes are met, too), or null. */
const requestIdPattern = /^(-?\d{1,19}|"[\w-]{1,36}"|null)$/;

/** Clients of production report this answer beyond 1,024 streams; the documentation names none. */
export const tooManySubscriptions = { code: 4, message: 'Too many subscriptions' };

export function parseRequest(text: string): Request {
  let value: unknown;
  let idText = 'null';
  try {
    value = JSON.parse(text, (key, part, context?: { source?: string }) => {
      if (key === 'id') idText = context?.source ?? '';
      return part;
    });
  } catch {
    return { method: 'invalid', code: 3, message: `Invalid JSON: expected value at ${position(text)}`, id: undefined };
  }
  const body = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const end = `line 1 column ${text.length}`;
  const invalid = (code: number, message: string, id?: RequestId): Request => ({
    method: 'invalid',
    code,
    message,
    id,
  });
  const id = body.id === undefined ? '' : idText;
  if (!requestIdPattern.test(id)) return invalid(2, 'Invalid request: request ID must be an unsigned integer');
  if (body.method === undefined) return invalid(2, `Invalid request: missing field \`method\` at ${end}`, id);
  if (typeof body.method !== 'string' || !methods.includes(body.method)) {
    const expected = methods.map((method) => `\`${method}\``).join(', ');
    const column = text.indexOf(String(body.method)) + String(body.method).length + 1;
    const at = `line 1 column ${column}`;
    return invalid(2, `Invalid request: unknown variant \`${body.method}\`, expected one of ${expected} at ${at}`, id);
  }
  const parameters: unknown[] = Array.isArray(body.params) ? body.params : [];
  switch (body.method) {
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE': {
      if (!Array.isArray(body.params)) return invalid(2, `Invalid request: missing field \`params\` at ${end}`, id);
      const streams = parameters.filter((parameter) => typeof parameter === 'string');
      if (streams.length < parameters.length) return invalid(2, 'Invalid request: stream name must be a string', id);
      return { method: body.method, streams, id };
    }
    case 'LIST_SUBSCRIPTIONS':
      if (parameters.length > 0) return invalid(2, 'Invalid request: too many parameters', id);
      return { method: 'LIST_SUBSCRIPTIONS', id };
    default:
      return parseProperty(body.method === 'SET_PROPERTY', parameters, id);
  }
}

function parseProperty(set: boolean, parameters: unknown[], id: RequestId): Request {
  const invalid = (code: number, message: string): Request => ({ method: 'invalid', code, message, id });
  const [name, value] = parameters;
  if (typeof name !== 'string') return invalid(2, 'Invalid request: property name must be a string');
  if (name !== 'combined') return invalid(0, 'Unknown property');
  if (parameters.length > (set ? 2 : 1)) return invalid(2, 'Invalid request: too many parameters');
  if (!set) return { method: 'GET_PROPERTY', id };
  if (typeof value !== 'boolean') return invalid(1, 'Invalid value type: expected Boolean');
  return { method: 'SET_PROPERTY', combined: value, id };
}

/** Where a JSON text breaks, in Binance's words; the engine does not say it in every case. */
function position(text: string): string {
  const line = text.split('\n').length;
  return `line ${line} column ${text.length - text.lastIndexOf('\n') - 1 || 1}`;
}

export const resultText = (result: unknown, id: RequestId): string => `{"result":${JSON.stringify(result)},"id":${id}}`;

export function errorText(
  code: number,
  message: string,
  id: RequestId | undefined,
  form: Settings['errorForm'],
): string {
  const error = `"code":${code},"msg":${JSON.stringify(message)}`;
  const tail = id === undefined ? '' : `,"id":${id}`;
  return form === 'live' ? `{"error":{${error}}${tail}}` : `{${error}${tail}}`;
}
