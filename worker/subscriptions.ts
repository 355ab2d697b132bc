// The requests of one connection: sent no faster than the exchange allows, and matched with its answers.
import type { Exchange } from './exchanges/exchange.ts';
import { sleep } from './retry.ts';
import type { Socket } from './socket.ts';

/** An exchange answers within a round trip; a request without an answer by then is lost. */
export const answerMsMax = 10_000;

/** On one connection: enough to find some bad symbols among hundreds, too few to tire an exchange that refuses all. */
const splitsMax = 50;

export class Subscriptions {
  readonly #exchange: Exchange;
  readonly #socket: Socket;
  readonly #waitMsMax: number;
  /** Symbols that wait for an answer, by request. */
  readonly #unanswered = new Map<string, Set<string>>();
  #requests = 0;
  #splits = 0;
  /** Settles when the next message may be sent. */
  #turn: Promise<unknown> = Promise.resolve();
  #waiters: (() => void)[] = [];

  /** @param waitMsMax how long answers may take, milliseconds */
  constructor(exchange: Exchange, socket: Socket, waitMsMax: number) {
    this.#exchange = exchange;
    this.#socket = socket;
    this.#waitMsMax = waitMsMax;
  }

  /**
   * Asks for the symbols' trades. Ends the connection when an answer does not come.
   * @returns whether everything that was asked for on this connection is answered
   */
  async request(symbols: readonly string[]): Promise<boolean> {
    this.#ask(symbols);
    // Requests that are split meanwhile wait for their turn, too.
    for (let turn: unknown; turn !== this.#turn; ) {
      turn = this.#turn;
      await turn;
    }
    if (await this.#allAnswered()) return true;
    const missing = [...this.#unanswered.values()].flatMap((waiting) => [...waiting]);
    const why = `no answer to the subscription of ${missing.length} symbols within ${this.#waitMsMax / 1000} s`;
    this.#socket.end({ reason: 'unanswered', why });
    return false;
  }

  /** Sends a text that is no subscription, when it is its turn. */
  send(text: string): void {
    this.#turn = this.#turn.then(() => {
      this.#socket.send(text);
      return this.#wait(this.#intervalMs());
    });
  }

  /**
   * Notes an answer.
   * @param requestId as the answer gives it; null: the oldest unanswered request's
   * @param symbols as the answer gives them; null: all of that request
   * @returns the symbols of the answer that waited for one
   */
  answer(requestId: string | null, symbols: readonly string[] | null = null): string[] {
    const answered = this.#take(requestId, symbols);
    this.#wake();
    return answered;
  }

  /**
   * Notes a refusal. One that does not say which of several symbols is meant is asked again in halves.
   * @returns the symbols that are refused for good
   */
  refuse(requestId: string | null, symbols: readonly string[] | null): string[] {
    const refused = this.#take(requestId, symbols);
    const isUnclear = symbols === null && refused.length > 1 && this.#splits < splitsMax;
    if (isUnclear) {
      this.#splits++;
      const half = Math.ceil(refused.length / 2);
      this.#ask(refused.slice(0, half));
      this.#ask(refused.slice(half));
    }
    this.#wake();
    return isUnclear ? [] : refused;
  }

  unanswered(): number {
    return this.#unanswered.size;
  }

  #ask(symbols: readonly string[]): void {
    const requests = this.#exchange.subscribe([...symbols], this.#requests + 1);
    this.#requests += requests.length;
    for (const request of requests) {
      // A request for no symbol keeps the connection alive; nothing depends on its answer.
      if (request.symbols.length > 0) this.#unanswered.set(request.id, new Set(request.symbols));
      this.send(request.text);
    }
  }

  #take(requestId: string | null, symbols: readonly string[] | null): string[] {
    if (symbols === null) {
      const id = requestId ?? this.#unanswered.keys().next().value ?? '';
      const waiting = [...(this.#unanswered.get(id) ?? [])];
      this.#unanswered.delete(id);
      return waiting;
    }
    const taken: string[] = [];
    for (const [id, waiting] of this.#unanswered) {
      for (const symbol of symbols) if (waiting.delete(symbol)) taken.push(symbol);
      if (waiting.size === 0) this.#unanswered.delete(id);
    }
    return taken;
  }

  #wake(): void {
    if (this.#unanswered.size > 0) return;
    for (const wake of this.#waiters) wake();
    this.#waiters = [];
  }

  async #allAnswered(): Promise<boolean> {
    if (this.#unanswered.size === 0) return true;
    await this.#wait(this.#waitMsMax, new Promise<void>((resolve) => this.#waiters.push(resolve)));
    return this.#unanswered.size === 0;
  }

  /** One message a second is left for the answer to a ping. */
  #intervalMs(): number {
    return 1000 / Math.max(1, this.#exchange.limits.messagesPerSecond - 1);
  }

  /** Ends at once with the connection, which then needs no pacing. */
  async #wait(ms: number, until: Promise<unknown> = this.#socket.ended): Promise<void> {
    const stop = new AbortController();
    await Promise.race([sleep(ms, stop.signal), until, this.#socket.ended]);
    stop.abort();
  }
}
