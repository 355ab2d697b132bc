// Figures that tests compute anyway, kept for the pages that show them: written where K2_FIGURES says, or nowhere.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of one recording, read by our program and by the independent one. */
export interface RecordingFigures {
  exchange: string;
  recording: string;
  frames: number;
  trades: number;
  /** Trades whose price, quantity and quote volume are the same texts in both readings. */
  digitsEqual: number;
  sidesEqual: number;
  duplicates: number;
  unreadable: number;
  /** Null: the exchange's ids prove none. */
  gaps: number | null;
  missing: number;
}

/** Of one feed that met faults on the simulator. */
export interface FaultFigures {
  exchange: string;
  /** How many frames or connections met each kind. */
  faults: Record<string, number>;
  /** Trades that the exchange made from the first on that was written. */
  made: number;
  lost: number;
  doubled: number;
  /** Written from REST. */
  repaired: number;
  /** Trades that came again and were not written again. */
  duplicates: number;
  /** The feed itself says that nothing is missing; null: its exchange lets nobody say so. */
  proven: boolean | null;
}

export interface Figures {
  recordings: RecordingFigures;
  faults: FaultFigures;
}

const fileOf = (folder: string, name: keyof Figures) => join(folder, `${name}.jsonl`);

export function recordFigures<Name extends keyof Figures>(name: Name, figures: Figures[Name]): void {
  const folder = process.env.K2_FIGURES;
  if (folder) appendFileSync(fileOf(folder, name), `${JSON.stringify(figures)}\n`);
}

/** All that were recorded in this folder, in the order of recording. */
export function readFigures<Name extends keyof Figures>(folder: string, name: Name): Figures[Name][] {
  const file = fileOf(folder, name);
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  return lines.map((line) => JSON.parse(line) as Figures[Name]);
}
