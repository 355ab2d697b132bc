// The control calls over HTTP, for tests that do not run in the simulator's process.
import type { Burst, MadeTrade, ReplayState, SentFrame, SimulatorControl, SimulatorState } from './control-types.ts';

export type * from './control-types.ts';

/**
 * @param url base URL of the simulator: `http://127.0.0.1:30880`
 * Every call throws an Error with the simulator's own sentence when it refuses.
 */
export function simulatorControl(url: string): SimulatorControl {
  const call = async (
    method: 'GET' | 'POST',
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
  ): Promise<Response> => {
    const response = await fetch(new URL(`/control/${path}`, url), { method, ...(body !== undefined && { body }) });
    if (response.ok) return response;
    const text = await response.text();
    throw new Error(`simulator ${method} /control/${path}: ${response.status} ${sentence(text)}`);
  };
  const command = async (path: string, body: object = {}): Promise<void> => {
    await (await call('POST', path, JSON.stringify(body))).arrayBuffer();
  };
  return {
    state: async () => (await (await call('GET', 'state')).json()) as SimulatorState,
    async *sent({ connection, symbol, partial } = {}) {
      const query = new URLSearchParams();
      if (connection !== undefined) query.set('connection', String(connection));
      if (symbol !== undefined) query.set('symbol', symbol);
      if (partial) query.set('partial', 'true');
      const { body } = await call('GET', `sent?${query}`);
      if (body) yield* parseLines<SentFrame>(body, 'sent');
    },
    async *made(filter = {}) {
      const { body } = await call('GET', `made?${new URLSearchParams(filter)}`);
      if (body) yield* parseLines<MadeTrade>(body, 'made');
    },
    setRate: (request) => command('rate', request),
    pause: () => command('pause'),
    resume: () => command('resume'),
    burst: async (request) => (await (await call('POST', 'burst', JSON.stringify(request))).json()) as Burst,
    setSymbols: (request) => command('symbols', request),
    cut: (request) => command('cut', request),
    stall: (request) => command('stall', request),
    setAccepting: (request) => command('accepting', request),
    shutDownConnections: (request) => command('server-shutdown', request),
    setSettings: (request) => command('settings', request),
    addRestFault: (request) => command('rest-fault', request),
    addFrameFault: (request) => command('frame-fault', request),
    refuseSymbols: (request) => command('refuse', request),
    setClockSkew: (request) => command('clock-skew', request),
    resetIds: (request) => command('id-reset', request),
    ban: (request) => command('ban', request),
    loadRecording: async (body) =>
      (await (await call('POST', 'recording', new Uint8Array(body))).json()) as ReplayState,
    replay: (request) => command('replay', request),
    reset: () => command('reset'),
  };
}

function sentence(text: string): string {
  try {
    return String(JSON.parse(text).error);
  } catch {
    return text.trim();
  }
}

async function* parseLines<T>(body: ReadableStream<Uint8Array>, what: string): AsyncGenerator<T> {
  let rest = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line);
  }
  if (rest !== '')
    throw new Error(`simulator GET /control/${what}: the answer ended in the middle of a line: ${rest.slice(0, 100)}`);
}
