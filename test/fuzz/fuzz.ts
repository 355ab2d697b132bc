// Reads one damaged frame after another, the exchanges in turn, and says what came of each. Frame n of a seed is always
// the same frame.
import { exchanges } from '../../worker/exchanges/index.ts';
import type { Corpus } from './corpus.ts';
import { judge } from './judge.ts';
import { mutate } from './mutations.ts';
import { createRandom } from './random.ts';

/** What shows that a parser is wrong, and how to see it again. */
export interface Finding {
  exchange: string;
  number: number;
  what: string;
  frame: Buffer;
}

export interface Answers {
  frames: number;
  /** Trades in them. */
  trades: number;
  /** Of exceptions among the findings. */
  throws: number;
  /** Frames by kind of answer. */
  kinds: Record<string, number>;
}

export interface Fuzzed {
  byExchange: Record<string, Answers>;
  findings: Finding[];
}

/** More of them say the same. */
const findingsMax = 20;

export class Fuzz {
  readonly fuzzed: Fuzzed = { byExchange: {}, findings: [] };
  readonly #seed: number;
  readonly #corpus: Corpus;
  readonly #ids = Object.keys(exchanges);

  constructor(seed: number, corpus: Corpus) {
    this.#seed = seed;
    this.#corpus = corpus;
    for (const id of this.#ids) this.fuzzed.byExchange[id] = { frames: 0, trades: 0, throws: 0, kinds: {} };
  }

  /** Frame `number` of the seed, and whose it is. */
  frame(number: number): { exchange: string; frame: Buffer } {
    const id = this.#ids[number % this.#ids.length] ?? '';
    const random = createRandom(this.#seed, number);
    // One in 50 comes from another exchange altogether; of the others, half begin as trades.
    const isForeign = random.below(50) === 0;
    const source = isForeign ? (this.#ids[random.below(this.#ids.length)] ?? id) : id;
    const frames = this.#corpus.frames.get(source);
    if (frames === undefined) throw new Error(`no frames of ${source}`);
    return { exchange: id, frame: mutate(random.below(2) === 0 ? frames.trades : frames.all, random) };
  }

  read(number: number): void {
    const { exchange, frame } = this.frame(number);
    const answers = this.fuzzed.byExchange[exchange];
    const parse = exchanges[exchange]?.parse;
    if (answers === undefined || parse === undefined) throw new Error(`no exchange ${exchange}`);
    answers.frames++;
    let what: string | null;
    try {
      const parsed = parse(frame);
      answers.kinds[parsed.kind] = (answers.kinds[parsed.kind] ?? 0) + 1;
      if (parsed.kind === 'trades') answers.trades += parsed.trades.length;
      what = judge(frame, parsed);
    } catch (error) {
      answers.throws++;
      what = `throws ${error instanceof Error ? error.stack : error}`;
    }
    const { findings } = this.fuzzed;
    if (what !== null && findings.length < findingsMax) findings.push({ exchange, number, what, frame });
  }
}
