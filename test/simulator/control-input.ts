// Reads the JSON bodies of control requests; a wrong one gets one sentence with the field, its value and what would be
// right.

import { ControlError } from './control-error.ts';
import type { FrameFault, ListingRequest, RestFault, Settings } from './control-types.ts';
import { frameFaultKinds } from './frame-faults.ts';
import { defaultSettings, never } from './settings.ts';

type Body = Record<string, unknown>;

function refuse(field: string, value: unknown, right: string): never {
  throw new ControlError(
    400,
    `${field}: ${value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`}; it must be ${right}`,
  );
}

/** @throws ControlError when the text is no JSON object or has a field that is not in `fields` */
export function readBody(text: string, fields: string[]): Body {
  let body: unknown;
  try {
    body = text === '' ? {} : JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ControlError(400, `body: is not a JSON object; its fields are ${fields.join(', ') || 'none'}`);
  }
  const unknown = Object.keys(body).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw new ControlError(400, `${unknown}: is unknown; the fields are ${fields.join(', ') || 'none'}`);
  return body as Body;
}

export function number(body: Body, field: string, min: number, max: number): number {
  const value = body[field];
  if (typeof value !== 'number' || value < min || value > max) refuse(field, value, `a number from ${min} to ${max}`);
  return value;
}

export function boolean(body: Body, field: string): boolean {
  const value = body[field];
  return typeof value === 'boolean' ? value : refuse(field, value, 'true or false');
}

export function text(body: Body, field: string): string {
  const value = body[field];
  return typeof value === 'string' && value !== '' ? value : refuse(field, value, 'a text');
}

/** The field by one of the readers above, or nothing where it is absent. */
export function optional<Field extends string, T>(
  body: Body,
  field: Field,
  read: (body: Body, field: string) => T,
): { [Key in Field]?: T } {
  return body[field] === undefined ? {} : ({ [field]: read(body, field) } as { [Key in Field]?: T });
}

const dayMs = 86_400_000;
const list = (body: Body, field: string): unknown[] => {
  const value = body[field] ?? [];
  return Array.isArray(value) ? value : refuse(field, value, 'a list');
};

export function symbolChanges(body: Body): { add: ListingRequest[]; remove: string[] } {
  const add = list(body, 'add').map((entry): ListingRequest => {
    if (typeof entry !== 'object' || entry === null) return refuse('add', entry, 'a list of {"symbol":"BTCUSDT"}');
    const listing = entry as Body;
    const status = (of: Body, field: string) =>
      of[field] === 'TRADING' || of[field] === 'HALT' || of[field] === 'BREAK'
        ? of[field]
        : refuse(field, of[field], 'TRADING, HALT or BREAK');
    return {
      symbol: text(listing, 'symbol'),
      ...optional(listing, 'baseAsset', text),
      ...optional(listing, 'quoteAsset', text),
      ...optional(listing, 'status', status),
    };
  });
  return { add, remove: texts(body, 'remove') };
}

export function texts(body: Body, field: string): string[] {
  return list(body, field).map((entry) =>
    typeof entry === 'string' ? entry : refuse(field, entry, 'a list of texts'),
  );
}

export function restFault(body: Body): RestFault {
  return {
    ...optional(body, 'path', text),
    ...optional(body, 'status', (of, field) => number(of, field, 400, 599)),
    ...optional(body, 'delayMs', (of, field) => number(of, field, 0, dayMs)),
    ...optional(body, 'retryAfterSeconds', (of, field) => number(of, field, 0, 3 * 86_400)),
    ...optional(body, 'requests', (of, field) => number(of, field, 1, 1e6)),
  };
}

/** More could not be kept back for `reorder`, nor be sent as one frame: ws takes 100 MiB at most by itself. */
const faultFramesMax = 100_000;
const faultBytesMax = 128 * 1024 * 1024;

export const frameFaultFields = [
  ...['kind', 'frames', 'skip', 'chance', 'delayMs', 'bytes'],
  ...['exchange', 'connection', 'symbol'],
];

export function frameFault(body: Body): FrameFault {
  const kind = frameFaultKinds.find((known) => known === body.kind);
  if (!kind) return refuse('kind', body.kind, `one of ${frameFaultKinds.join(', ')}`);
  const upTo = (min: number, max: number) => (of: Body, field: string) => number(of, field, min, max);
  return {
    kind,
    frames: number(body, 'frames', 1, faultFramesMax),
    ...optional(body, 'skip', upTo(0, 1e9)),
    ...optional(body, 'chance', upTo(0, 1)),
    ...optional(body, 'delayMs', upTo(0, dayMs)),
    ...optional(body, 'bytes', upTo(1, faultBytesMax)),
    ...optional(body, 'exchange', text),
    ...optional(body, 'connection', upTo(1, 1e9)),
    ...optional(body, 'symbol', text),
  };
}

export function settingsChange(body: Body): Partial<Settings> {
  const { errorForm, ...numbers } = body;
  if (errorForm !== undefined && errorForm !== 'live' && errorForm !== 'documented') {
    refuse('errorForm', errorForm, 'live or documented');
  }
  const change: Body = { ...(errorForm !== undefined && { errorForm }) };
  for (const field of Object.keys(numbers)) change[field] = number(numbers, field, 0, never);
  return change;
}

export const settingsFields = Object.keys(defaultSettings);

export function speed(body: Body): number | 'flat' {
  if (body.speed === 'flat') return 'flat';
  if (typeof body.speed !== 'number' || !(body.speed > 0)) refuse('speed', body.speed, '"flat" or a factor above 0');
  return body.speed;
}
