// What is wrong, counted by kind; the first of them in words.
import { type Place, placeText } from './trade.ts';

/** Of the whole report, in the order in which they are summed up. */
export const findingKinds = {
  missing: 'gaps, in which trades are missing',
  doubled: 'trades are there more than once',
  'raw-without-trade': 'trades are in a raw record, but not in the normalized topic',
  'trade-without-raw': 'normalized trades have no raw record',
  differs: 'normalized trades differ from their raw record',
  'unreadable-frame': 'raw records cannot be read, and do not say so',
  'frame-without-trade': 'raw records hold no trade',
  'repeated-frame': 'raw records hold only trades that came before',
  'dead-letter': 'raw records are marked unreadable, but hold trades',
  'unreadable-trade': 'normalized records cannot be read',
  'wrong-key': 'records have the wrong key',
  'wrong-id': 'trade ids are not numbers, or leave too many gaps to follow',
  canonical: 'canonical symbols are wrong or change',
  cursor: 'cursors do not say what the topics hold',
} as const;

export type FindingKind = keyof typeof findingKinds;

export interface Finding {
  kind: FindingKind;
  /** One sentence, with the place. */
  text: string;
}

export class Findings {
  readonly #toldMax: number;
  readonly #told: Finding[] = [];
  readonly #counts = new Map<FindingKind, number>();

  constructor(toldMax: number) {
    this.#toldMax = toldMax;
  }

  /** @param places of the records that show it */
  add(kind: FindingKind, sentence: string, ...places: Place[]): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (this.#told.length >= this.#toldMax) return;
    const where = places.length === 0 ? '' : ` (${places.map(placeText).join(', ')})`;
    this.#told.push({ kind, text: `${sentence}${where}` });
  }

  told(): readonly Finding[] {
    return this.#told;
  }

  counts(): ReadonlyMap<FindingKind, number> {
    return this.#counts;
  }
}
