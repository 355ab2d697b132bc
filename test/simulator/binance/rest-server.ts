// HTTP around rest.ts: weights, bans, headers, and how a fault that a test ordered is worded.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { RestFault } from '../control-types.ts';
import type { Market } from '../market.ts';
import type { Settings } from '../settings.ts';
import type { TimeUnit } from './frames.ts';
import { answerRest, endpoints } from './rest.ts';
import { type Verdict, Weights } from './weights.ts';

export class RestServer {
  readonly weights = new Weights();
  #market: Market;
  #clock: Clock;
  #settings: Settings;

  constructor(market: Market, clock: Clock, settings: Settings) {
    this.#market = market;
    this.#clock = clock;
    this.#settings = settings;
  }

  reset(): void {
    this.weights.clear();
  }

  request(request: IncomingMessage, url: URL, response: ServerResponse, fault: RestFault | undefined): void {
    const endpoint = request.method === 'GET' ? endpoints[url.pathname] : undefined;
    if (!endpoint) {
      send(response, 404, { code: -1000, msg: `no such path here: ${request.method} ${url.pathname}` });
      return;
    }
    const nowUs = this.#clock.nowUs();
    const address = request.socket.remoteAddress ?? '';
    const verdict = this.weights.charge(address, endpoint.weight, Math.floor(nowUs / 1000), this.#settings);
    response.setHeader('x-mbx-used-weight', verdict.usedWeight);
    response.setHeader('x-mbx-used-weight-1m', verdict.usedWeight);
    if (fault?.status !== undefined) {
      if (fault.retryAfterSeconds !== undefined) response.setHeader('retry-after', fault.retryAfterSeconds);
      send(response, fault.status, {
        code: fault.status === 429 ? -1003 : -1000,
        msg: 'An unknown error occurred while processing the request.',
      });
      return;
    }
    if (verdict.kind !== 'admitted') {
      response.setHeader('retry-after', verdict.retryAfterSeconds);
      send(response, verdict.kind === 'banned' ? 418 : 429, { code: -1003, msg: this.#refusal(verdict) });
      return;
    }
    const unit = timeUnit(request.headers['x-mbx-time-unit']);
    if (unit === null) {
      const msg = 'Invalid value for time unit; expected either MICROSECOND or MILLISECOND.';
      send(response, 400, { code: -1194, msg });
      return;
    }
    const weightPerMinuteMax = this.#settings.weightPerMinuteMax;
    const market = this.#market;
    const answer = answerRest(endpoint, url.searchParams, {
      market,
      nowUs: market.exchangeUs(nowUs),
      unit,
      weightPerMinuteMax,
    });
    send(response, answer.status, answer.body);
  }

  #refusal(verdict: Exclude<Verdict, { kind: 'admitted' }>): string {
    const advice = 'Please use WebSocket Streams for live updates to avoid';
    if (verdict.kind === 'banned') {
      return `Way too much request weight used; IP banned until ${verdict.untilMs}. ${advice} bans.`;
    }
    const limit = `current limit is ${this.#settings.weightPerMinuteMax} request weight per 1 MINUTE`;
    return `Too much request weight used; ${limit}. ${advice} polling the API.`;
  }
}

/** Of the header and of the query alike; null: not a unit. */
export function timeUnit(text: string | string[] | null | undefined): TimeUnit | null {
  if (text === null || text === undefined) return 'ms';
  const unit = String(text).toUpperCase();
  if (unit === 'MICROSECOND') return 'us';
  return unit === 'MILLISECOND' ? 'ms' : null;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8' }).end(JSON.stringify(body));
}
