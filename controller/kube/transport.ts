// Requests and watches over pooled connections, with time-outs, bounded retries and renewed credentials.
import type { Dispatcher } from 'undici';
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { type Connection, createConnections, type KubeConfig } from './connection.ts';
import { errorOfAnswer, errorOfStatus, KubeError, type Status, TransportError } from './errors.ts';
import { lines } from './lines.ts';
import type { KubeMetrics } from './metrics.ts';
import type { KubeObject } from './object.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
/** Undefined values are left out. */
export type Query = Record<string, string | number | boolean | undefined>;

export interface RequestOptions {
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** `application/json` when absent. */
  contentType?: string;
  /** Another form of the answer; `application/json` when absent. */
  accept?: string;
  /** One try, with the wait for credentials and for a connection, to the last byte; 30 s when absent. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface WatchEvent<T = KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

export interface WatchOptions {
  signal: AbortSignal;
  /** The watch has failed when nothing comes for that long. */
  idleMsMax: number;
  /** As in RequestOptions. */
  accept?: string;
}

export interface Transport {
  /**
   * The answer's JSON. Tried again: on 401 once, with credentials read afresh; on 429, and on 503 with Retry-After,
   * because the server did not do it; a GET also on any 503, and when there was no complete answer.
   * @throws KubeError the server's answer
   * @throws TransportError no complete answer
   * @throws the reason of `signal`, once that is aborted
   */
  request<T>(method: Method, path: string, options?: RequestOptions): Promise<T>;
  /**
   * The events of one watch request, until the server ends it. Leaving the loop ends the request.
   * @throws KubeError also for an event of type ERROR
   * @throws TransportError reset, silent, cut off or unreadable
   * @throws the reason of `signal`, once that is aborted
   */
  watch<T = KubeObject>(path: string, query: Query, options: WatchOptions): AsyncGenerator<WatchEvent<T>, void, void>;
  /** Ends whatever is still under way. */
  close(): Promise<void>;
}

export interface TransportOptions {
  /** `name/version`, as the audit log shows it. */
  userAgent: string;
  metrics?: Pick<KubeMetrics, 'requests' | 'requestSeconds'>;
  clock?: Clock;
  /** A number in [0, 1). */
  random?: () => number;
}

const timeoutMsDefault = 30_000;
// Together a few seconds: longer trouble is for the caller's own backoff, which does not hold a worker.
const triesMax = 4;
const retryLimits: BackoffLimits = { delayMsBase: 200, delayMsMax: 5_000 };
const retryAfterMsMax = 10_000;
// etcd refuses objects of more than 1.5 MiB; JSON with escapes and managed fields can be some times that.
const watchLineBytesMax = 16 * 1024 * 1024;
// A page of 500 objects at etcd's limit would be more; no real page comes near it.
const answerBytesMax = 128 * 1024 * 1024;

export function createTransport(kubeConfig: KubeConfig, options: TransportOptions): Transport {
  const { userAgent, metrics, clock = systemClock, random = Math.random } = options;
  const connections = createConnections(kubeConfig, clock);

  async function send(call: Call, pool: Dispatcher, connection: Connection): Promise<Dispatcher.ResponseData> {
    const { method, path, query, body, signal, silenceMsMax } = call;
    const { contentType = 'application/json', accept = 'application/json' } = call;
    const headers = { ...connection.headers, accept, 'user-agent': userAgent };
    const { host } = new URL(connection.origin);
    const startMs = clock.nowMs();
    try {
      const request = pool.request({
        origin: connection.origin,
        path: `${connection.pathPrefix}${path}${queryString(query)}`,
        method,
        headers: body === undefined ? headers : { ...headers, 'content-type': contentType },
        body: body === undefined ? null : JSON.stringify(body),
        signal,
        headersTimeout: silenceMsMax,
        bodyTimeout: silenceMsMax,
      });
      const response = await unlessAborted(signal, request);
      metrics?.requests.inc({ code: String(response.statusCode), method, host });
      return response;
    } catch (error) {
      metrics?.requests.inc({ code: '<error>', method, host });
      throw error;
    } finally {
      metrics?.requestSeconds.observe({ verb: method, host }, (clock.nowMs() - startMs) / 1_000);
    }
  }

  /** The body of a good answer; credentials may be refused once, then they are read afresh. */
  async function bodyOf(call: Call, pool: 'requests' | 'watches'): Promise<AsyncIterable<Uint8Array>> {
    for (let refusals = 0; ; refusals++) {
      const connection = await unlessAborted(call.signal, connections.current());
      const { statusCode, headers, body } = await send(call, connection[pool], connection);
      if (statusCode < 300) return body;
      const text = await textOf(body, answerBytesMax);
      if (statusCode !== 401 || refusals > 0) {
        throw errorOfAnswer(nameOf(call), statusCode, String(headers['retry-after'] ?? ''), text);
      }
      connections.renew(connection);
    }
  }

  async function tryOnce(call: Call, timeoutMs: number): Promise<unknown> {
    const deadline = new AbortController();
    const cancel = clock.setTimer(timeoutMs, () => deadline.abort(new Error(`no complete answer in ${timeoutMs} ms`)));
    const abort = () => deadline.abort(call.signal.reason);
    call.signal.addEventListener('abort', abort);
    try {
      const body = await bodyOf({ ...call, signal: deadline.signal }, 'requests');
      return JSON.parse(await textOf(body, answerBytesMax));
    } catch (error) {
      throw failureOf(call, error);
    } finally {
      cancel();
      call.signal.removeEventListener('abort', abort);
    }
  }

  async function request<T>(method: Method, path: string, requestOptions: RequestOptions = {}): Promise<T> {
    const { timeoutMs = timeoutMsDefault, signal = neverAborted, ...rest } = requestOptions;
    const call: Call = { method, path, signal, silenceMsMax: 0, ...rest };
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      try {
        return (await tryOnce(call, timeoutMs)) as T;
      } catch (error) {
        signal.throwIfAborted();
        const waitMs = tries < triesMax ? waitMsBeforeRetry(method, error, tries, random()) : null;
        if (waitMs === null) throw error;
        await sleep(clock, waitMs, signal);
      }
    }
  }

  async function* watch<T>(path: string, query: Query, { idleMsMax, ...rest }: WatchOptions) {
    const call: Call = { method: 'GET', path, query: { ...query, watch: true }, silenceMsMax: idleMsMax, ...rest };
    const { signal } = rest;
    try {
      signal.throwIfAborted();
      const body = await bodyOf(call, 'watches');
      for await (const line of lines(body, watchLineBytesMax)) yield eventOf<T>(call, line);
    } catch (error) {
      signal.throwIfAborted();
      throw failureOf(call, error);
    }
  }

  return { request, watch, close: connections.close };
}

interface Call extends Omit<RequestOptions, 'timeoutMs'> {
  method: Method;
  path: string;
  signal: AbortSignal;
  /** No byte for that long ends the call, milliseconds; 0: no limit. */
  silenceMsMax: number;
}

const neverAborted = new AbortController().signal;

/**
 * What was started may end later. undici heeds a signal only once it is connected: until then the request stays in its
 * queue, and is dropped there instead of sent.
 */
async function unlessAborted<T>(signal: AbortSignal, started: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([started, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const nameOf = ({ method, path }: Call) => `${method} ${path}`;

function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

/** Null: the error is final, or the server wants more patience than a caller should be held up for. */
function waitMsBeforeRetry(method: Method, error: unknown, failures: number, random: number): number | null {
  const backoffMs = backoffDelayMs(failures, retryLimits, random);
  if (error instanceof TransportError) return method === 'GET' ? backoffMs : null;
  if (!(error instanceof KubeError)) return null;
  const notDone = error.status === 429 || (error.status === 503 && (error.retryAfterMs !== null || method === 'GET'));
  const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs);
  return notDone && waitMs <= retryAfterMsMax ? waitMs : null;
}

function eventOf<T>(call: Call, line: string): WatchEvent<T> {
  const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: Status };
  if (event.type === 'ERROR') throw errorOfStatus(nameOf(call), event.object);
  return event;
}

function failureOf(call: Call, error: unknown): KubeError | TransportError {
  if (error instanceof KubeError || error instanceof TransportError) return error;
  // Refused connections to a name with several addresses come as an AggregateError without a message.
  const { message, code } = error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
  return new TransportError(`${nameOf(call)}: ${message || code}`, { cause: error });
}

async function textOf(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
}
