// What the worker knows of itself: symbols, problems, figures. Answers /status and /readyz and the line a minute.
import type { ContinuityStatus, Role, WorkerStatus } from '../api/worker-status.ts';
import { completenessOf } from './completeness.ts';
import type { ProducerRecord } from './producer/producer.ts';

/** What can keep trades from flowing, in the order of the start: the first that has a problem is the message. */
const parts = ['topics', 'subjects', 'cursors', 'listings', 'symbols', 'connection', 'take-over', 'producer'] as const;
export type Part = Exclude<(typeof parts)[number], 'symbols'>;

/** More would not fit into a sentence; the status page has all of them. */
const refusedToldMax = 5;

/** Seconds over which trades per second are counted. */
const rateSeconds = 10;

export interface StatusOptions {
  exchange: string;
  symbols: string[];
  topicRaw: string;
  topicNormalized: string;
  /** What a symbol's trade ids prove. */
  continuityOf: (symbol: string) => ContinuityStatus;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
}

type SymbolState = Omit<WorkerStatus['symbols'][number], 'continuity'>;

export class Status {
  readonly #options: StatusOptions;
  readonly #startMs: number;
  readonly #problems = new Map<Part, string>();
  readonly #symbols: Map<string, SymbolState>;
  /** Trades delivered in each of the last seconds; `second` says which one a slot holds. */
  readonly #slots = Array.from({ length: rateSeconds + 1 }, () => ({ second: -1, trades: 0 }));
  /** Records acknowledged by the broker since start. */
  readonly #delivered = { raw: 0, normalized: 0 };
  /** Frames that could not be read and requests that failed, since start. */
  #errors = 0;
  #role: Role = 'standby';
  /** Why a standby writes nothing, one sentence. */
  #waitsFor = 'it has not looked for an owner yet';
  #lastLine = { raw: 0, normalized: 0, errors: 0, ms: 0 };

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#startMs = options.monotonicMs();
    this.#lastLine.ms = this.#startMs;
    this.#symbols = new Map(
      options.symbols.map((symbol) => [symbol, { symbol, state: 'pending', message: '', lastTradeTimeMs: null }]),
    );
    this.report('connection', 'not connected yet');
  }

  /** Notes what is wrong with a part, one sentence, or that nothing is; says whether that is new. */
  report(part: Part, problem: string | null): boolean {
    const isNew = (this.#problems.get(part) ?? null) !== problem;
    if (problem === null) this.#problems.delete(part);
    else this.#problems.set(part, problem);
    return isNew;
  }

  role(): Role {
    return this.#role;
  }

  setOwner(): void {
    this.#role = 'owner';
  }

  /** @param why what it waits for, one sentence; says whether that is new */
  setStandby(why: string): boolean {
    const isNew = this.#role !== 'standby' || this.#waitsFor !== why;
    this.#role = 'standby';
    this.#waitsFor = why;
    return isNew;
  }

  countError(): void {
    this.#errors++;
  }

  setSymbols(symbols: Iterable<string>, state: SymbolState['state'], message = ''): void {
    for (const symbol of symbols) {
      const entry = this.#symbols.get(symbol);
      if (entry) Object.assign(entry, { state, message });
    }
  }

  symbolsIn(state: SymbolState['state']): string[] {
    return [...this.#symbols.values()].filter((entry) => entry.state === state).map(({ symbol }) => symbol);
  }

  delivered(records: readonly ProducerRecord[]): void {
    const { topicRaw, topicNormalized } = this.#options;
    let trades = 0;
    for (const { topic, key, exchangeTimeMs } of records) {
      if (topic === topicRaw) this.#delivered.raw++;
      if (topic !== topicNormalized) continue;
      trades++;
      const entry = this.#symbols.get(key ?? '');
      if (entry && exchangeTimeMs !== null) {
        entry.lastTradeTimeMs = Math.max(entry.lastTradeTimeMs ?? exchangeTimeMs, exchangeTimeMs);
      }
    }
    this.#delivered.normalized += trades;
    const slot = this.#slot(this.#second());
    slot.trades += trades;
  }

  /** Null: ready; otherwise why not, one sentence. */
  notReady(): string | null {
    for (const part of parts) {
      const problem = part === 'symbols' ? this.#allRefused() : this.#problems.get(part);
      if (problem !== undefined) return problem;
    }
    const subscribed = this.symbolsIn('subscribed').length;
    if (subscribed === 0) return 'no subscription is acknowledged yet';
    // The owner ends once a standby is ready, so a standby must read everything by then.
    const pending = this.symbolsIn('pending').length;
    const isPartial = this.#role === 'standby' && pending > 0;
    return isPartial ? `${pending} of ${this.#symbols.size} symbols are not subscribed yet` : null;
  }

  /** Null: trades are read and written; otherwise why not, one sentence. */
  notStreaming(): string | null {
    return this.notReady() ?? (this.#role === 'owner' ? null : `standby: ${this.#waitsFor}`);
  }

  #allRefused(): string | undefined {
    const refused = this.symbolsIn('refused');
    if (refused.length < this.#symbols.size) return undefined;
    const messages = refused.slice(0, refusedToldMax).map((symbol) => this.#symbols.get(symbol)?.message);
    return `every symbol is refused: ${messages.join('; ')}`;
  }

  snapshot(): WorkerStatus {
    const message = this.notStreaming();
    const { continuityOf } = this.#options;
    const symbols = [...this.#symbols.values()].map((entry) => ({ ...entry, continuity: continuityOf(entry.symbol) }));
    return {
      exchange: this.#options.exchange,
      role: this.#role,
      streaming: message === null,
      message: message ?? '',
      symbols,
      completeness: completenessOf(symbols.map(({ continuity }) => continuity)),
      tradesTotal: this.#delivered.normalized,
      tradesPerSecond: this.#tradesPerSecond(),
    };
  }

  /** The figures of the line a minute: totals since start, and per second since the line before. */
  line(): Record<string, number> {
    const { raw, normalized } = this.#delivered;
    const now = { raw, normalized, errors: this.#errors, ms: this.#options.monotonicMs() };
    const last = this.#lastLine;
    this.#lastLine = now;
    const seconds = Math.max((now.ms - last.ms) / 1000, 0.001);
    return {
      raw,
      normalized,
      errors: now.errors,
      rawSince: raw - last.raw,
      normalizedSince: normalized - last.normalized,
      errorsSince: now.errors - last.errors,
      rate: Math.round(((normalized - last.normalized) / seconds) * 10) / 10,
    };
  }

  #second(): number {
    return Math.floor((this.#options.monotonicMs() - this.#startMs) / 1000);
  }

  #slot(second: number): { second: number; trades: number } {
    const slot = this.#slots[second % this.#slots.length];
    if (slot === undefined) throw new RangeError(`no slot for second ${second}`);
    if (slot.second !== second) Object.assign(slot, { second, trades: 0 });
    return slot;
  }

  /** Whole seconds only: the current one is not over. Before the first is over, what there is. */
  #tradesPerSecond(): number {
    const now = this.#second();
    if (now === 0) return this.#delivered.normalized;
    const from = Math.max(0, now - rateSeconds);
    let trades = 0;
    for (const slot of this.#slots) if (slot.second >= from && slot.second < now) trades += slot.trades;
    return trades / (now - from);
  }
}
