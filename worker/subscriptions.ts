// The requests of one connection: sent no faster than the exchange allows, and matched with its answers.
import type { Exchange } from './exchanges/exchange.ts';
import { sleep } from './retry.ts';
import type { Socket } from './socket.ts';

/** An exchange answers within a round trip; a request without an answer by then is lost. */
export const answerMsMax = 10_000;

export class Subscriptions {
  readonly #exchange: Exchange;
  readonly #socket: Socket;
  readonly #waitMsMax: number;
  readonly #unanswered = new Map<string, string[]>();
  #requests = 0;
  /** Settles when the next message may be sent. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param waitMsMax how long answers may take, milliseconds */
  constructor(exchange: Exchange, socket: Socket, waitMsMax: number) {
    this.#exchange = exchange;
    this.#socket = socket;
    this.#waitMsMax = waitMsMax;
  }

  /** Asks for the symbols' trades. Ends the connection when an answer does not come. */
  async request(symbols: string[], signal: AbortSignal): Promise<void> {
    const requests = this.#exchange.subscribe(symbols, this.#requests + 1);
    this.#requests += requests.length;
    for (const request of requests) {
      this.#unanswered.set(request.id, request.symbols);
      this.#turn = this.#turn.then(() => {
        this.#socket.send(request.text);
        return this.#wait(this.#intervalMs(), signal);
      });
    }
    await this.#turn;
    await this.#wait(this.#waitMsMax, signal);
    const missing = requests.filter(({ id }) => this.#unanswered.has(id)).length;
    if (missing === 0) return;
    const why = `${missing} of ${requests.length} subscriptions were not answered within ${this.#waitMsMax / 1000} s`;
    this.#socket.end({ reason: 'unanswered', why });
  }

  /**
   * @param requestId as the answer gives it; null: the oldest unanswered request's
   * @returns the symbols of that request; none when no such request waits
   */
  answer(requestId: string | null): string[] {
    const id = requestId ?? this.#unanswered.keys().next().value ?? '';
    const symbols = this.#unanswered.get(id) ?? [];
    this.#unanswered.delete(id);
    return symbols;
  }

  unanswered(): number {
    return this.#unanswered.size;
  }

  /** One message a second is left for the answer to a ping. */
  #intervalMs(): number {
    return 1000 / Math.max(1, this.#exchange.limits.messagesPerSecond - 1);
  }

  /** Ends at once with the connection, which then needs no pacing. */
  #wait(ms: number, signal: AbortSignal): Promise<unknown> {
    return Promise.race([sleep(ms, signal), this.#socket.ended]);
  }
}
