// The control interface over HTTP: GET state, sent, made and health; every other command is a POST with a JSON body.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ControlError } from './control-error.ts';
import * as input from './control-input.ts';
import type { SimulatorControl } from './control-types.ts';

/** A day of one busy symbol is about this much, packed. */
export const recordingBytesMax = 64 * 1024 * 1024;
/** 17 MB for each client: what its buffer can hold, and a third of a second for the process. */
const burstTradesMax = 100_000;
const bodyBytesMax = 1024 * 1024;
const dayMs = 86_400_000;

interface Command {
  fields: string[];
  run(body: Record<string, unknown>, control: SimulatorControl): Promise<unknown>;
}

const connection = (body: Record<string, unknown>) =>
  input.optional(body, 'connection', (of, field) => input.number(of, field, 1, 1e9));
const symbol = (body: Record<string, unknown>) => input.optional(body, 'symbol', input.text);

const commands: Record<string, Command> = {
  rate: {
    fields: ['tradesPerSecond', 'symbol'],
    run(body, control) {
      const tradesPerSecond = body.tradesPerSecond === null ? null : input.number(body, 'tradesPerSecond', 0, 1e6);
      return control.setRate({ tradesPerSecond, ...symbol(body) });
    },
  },
  pause: { fields: [], run: (_, control) => control.pause() },
  resume: { fields: [], run: (_, control) => control.resume() },
  burst: {
    fields: ['trades', 'symbol'],
    run: (body, control) => control.burst({ trades: input.number(body, 'trades', 1, burstTradesMax), ...symbol(body) }),
  },
  symbols: { fields: ['add', 'remove'], run: (body, control) => control.setSymbols(input.symbolChanges(body)) },
  cut: {
    fields: ['connection', 'code', 'reason'],
    run(body, control) {
      const code = input.optional(body, 'code', (of, field) => input.number(of, field, 1000, 4999));
      return control.cut({ ...connection(body), ...code, ...input.optional(body, 'reason', input.text) });
    },
  },
  stall: {
    fields: ['stalled', 'connection'],
    run: (body, control) => control.stall({ stalled: input.boolean(body, 'stalled'), ...connection(body) }),
  },
  accepting: {
    fields: ['accepting'],
    run: (body, control) => control.setAccepting({ accepting: input.boolean(body, 'accepting') }),
  },
  'server-shutdown': {
    fields: ['afterMs'],
    run: (body, control) => control.shutDownConnections({ afterMs: input.number(body, 'afterMs', 0, dayMs) }),
  },
  settings: { fields: input.settingsFields, run: (body, control) => control.setSettings(input.settingsChange(body)) },
  'rest-fault': {
    fields: ['path', 'status', 'delayMs', 'retryAfterSeconds', 'requests'],
    run: (body, control) => control.addRestFault(input.restFault(body)),
  },
  'frame-fault': {
    fields: input.frameFaultFields,
    run: (body, control) => control.addFrameFault(input.frameFault(body)),
  },
  refuse: {
    fields: ['symbols'],
    run: (body, control) => control.refuseSymbols({ symbols: input.texts(body, 'symbols') }),
  },
  'clock-skew': {
    fields: ['ms'],
    run: (body, control) => control.setClockSkew({ ms: input.number(body, 'ms', -dayMs, dayMs) }),
  },
  'id-reset': {
    fields: ['symbol'],
    run: (body, control) => control.resetIds({ symbol: input.text(body, 'symbol') }),
  },
  ban: {
    fields: ['durationMs', 'address', 'exchange'],
    run(body, control) {
      const durationMs = input.number(body, 'durationMs', 0, 3 * dayMs);
      const exchange = input.optional(body, 'exchange', input.text);
      return control.ban({ durationMs, ...input.optional(body, 'address', input.text), ...exchange });
    },
  },
  replay: { fields: ['speed'], run: (body, control) => control.replay({ speed: input.speed(body) }) },
  reset: { fields: [], run: (_, control) => control.reset() },
};

/** Answers one request under /control/. */
export async function handleControl(
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
  control: SimulatorControl,
): Promise<void> {
  try {
    await route(request, url, response, control);
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const status = error instanceof ControlError ? error.status : 500;
    sendJson(response, status, { error: error instanceof Error ? error.message : String(error) });
  }
}

async function route(
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
  control: SimulatorControl,
): Promise<void> {
  const name = url.pathname.slice('/control/'.length);
  if (request.method === 'GET' && name === 'health') return sendJson(response, 200, { ok: true });
  if (request.method === 'GET' && name === 'state') return sendJson(response, 200, await control.state());
  if (request.method === 'GET' && name === 'sent') return sendLedger(response, url.searchParams, control);
  if (request.method === 'GET' && name === 'made') return sendMade(response, url.searchParams, control);
  if (request.method === 'POST' && name === 'recording') {
    return sendJson(response, 200, await control.loadRecording(await readAll(request, recordingBytesMax)));
  }
  const command = commands[name];
  if (!command) {
    const known = ['GET health, state, sent, made', `POST recording, ${Object.keys(commands).join(', ')}`].join('; ');
    throw new ControlError(404, `/control/${name}: is unknown; known are ${known}`);
  }
  if (request.method !== 'POST') throw new ControlError(405, `/control/${name}: is a command; use POST`);
  const text = (await readAll(request, bodyBytesMax)).toString('utf8');
  const result = await command.run(input.readBody(text, command.fields), control);
  sendJson(response, 200, result ?? { ok: true });
}

/** One line a frame: `{"connection":1,"symbol":"BTCUSDT","id":3735683259,"trades":1,"fault":null,"frame":"..."}`. */
async function sendLedger(response: ServerResponse, query: URLSearchParams, control: SimulatorControl): Promise<void> {
  const filter = { connection: query.get('connection'), symbol: query.get('symbol') };
  if (filter.connection !== null && !/^\d+$/.test(filter.connection)) {
    throw new ControlError(400, `connection: is '${filter.connection}'; it must be a number, as in /control/state`);
  }
  const frames = control.sent({
    ...(filter.connection !== null && { connection: Number(filter.connection) }),
    ...(filter.symbol !== null && { symbol: filter.symbol }),
    partial: query.get('partial') === 'true',
  });
  await sendLines(response, frames);
}

/** One line a trade. */
function sendMade(response: ServerResponse, query: URLSearchParams, control: SimulatorControl): Promise<void> {
  const [symbol, exchange] = [query.get('symbol'), query.get('exchange')];
  return sendLines(
    response,
    control.made({ ...(symbol !== null && { symbol }), ...(exchange !== null && { exchange }) }),
  );
}

async function sendLines(response: ServerResponse, items: AsyncIterable<unknown>): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  // The first step fails where something is missing, while the status can still say so.
  const first = await iterator.next();
  response.writeHead(200, { 'content-type': 'application/jsonl' });
  async function* lines() {
    for (let step = first; !step.done; step = await iterator.next()) yield `${JSON.stringify(step.value)}\n`;
  }
  await pipeline(Readable.from(lines()), response);
}

async function readAll(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new ControlError(413, `body: has more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
