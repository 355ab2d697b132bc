// How complete a feed was over the last hour: from totals as they were read, one of every few minutes. Pure. Totals
// that fall were counted anew, and a figure is never better for that: what was missing before is still missing.
import type { Totals } from './completeness.ts';

type Counts = Pick<Totals, 'written' | 'missing' | 'open'>;

interface Sample {
  written: number;
  missing: number;
  open: number;
  /** Monotonic clock, milliseconds. */
  atMs: number;
}

/** Shares in percent. */
export interface LastHour {
  /** The oldest one is what the figure counts from. */
  samples: readonly Sample[];
  /** What was known before the samples: while they do not cover an hour, it is no better than this. */
  before: { share: number; untilMs: number } | null;
  /** Counts that began anew, until they have come as far as those before. */
  fallen: { written: number; share: number } | null;
}

/** Monotonic and wall clock, milliseconds. */
export interface Now {
  monotonicMs: number;
  nowMs: number;
}

const hourMs = 3_600_000;
/** 12 of an hour and one at either end: a thousand feeds have 14,000 samples, 1 MB. */
const sampleMs = 300_000;

/**
 * The same with one more reading; one that lacks symbols tells nothing.
 * @param known the figure as it was last written, where nothing was counted yet: `99.98%`
 */
export function hourAfter(
  hour: LastHour | null,
  totals: Totals | null,
  known: string | undefined,
  now: Now,
): LastHour | null {
  return totals?.isWhole ? countHour(hour ?? beginHour(known, totals.sinceMs, now), totals, now.monotonicMs) : hour;
}

/** Of a feed that began within the hour all that was counted is of this hour. */
function beginHour(known: string | undefined, sinceMs: number | null, { monotonicMs, nowMs }: Now): LastHour {
  const share = /^([\d.]+)%$/.exec(known ?? '')?.[1];
  if (share !== undefined) {
    return { samples: [], before: { share: Number(share), untilMs: monotonicMs + hourMs }, fallen: null };
  }
  const ageMs = Math.max(nowMs - (sinceMs ?? Number.NEGATIVE_INFINITY), 0);
  const beginning = { written: 0, missing: 0, open: 0, atMs: monotonicMs - ageMs };
  return { samples: ageMs < hourMs ? [beginning] : [], before: null, fallen: null };
}

function countHour(hour: LastHour, { written, missing, open }: Counts, atMs: number): LastHour {
  const now: Sample = { written, missing, open, atMs };
  const last = hour.samples.at(-1);
  const fallen = hour.fallen !== null && written < hour.fallen.written ? hour.fallen : null;
  if (last === undefined) return { ...hour, samples: [now], fallen };
  if (written < last.written) {
    const sinceStart = sinceStartShare(hour, last) ?? 100;
    const before = { share: hourShare(hour, last, atMs) ?? sinceStart, untilMs: atMs + hourMs };
    return { samples: [now], before, fallen: fallen ?? { written: last.written, share: sinceStart } };
  }
  // The newest one is kept up to date, so that a fall is seen whenever it comes.
  const isDue = hour.samples.length === 1 || atMs - (hour.samples.at(-2)?.atMs ?? 0) >= sampleMs;
  const samples = isDue ? [...hour.samples, now] : [...hour.samples.slice(0, -1), now];
  const isOld = (sample: Sample | undefined) => sample !== undefined && atMs - sample.atMs >= hourMs;
  return { ...hour, samples: isOld(samples[1]) ? samples.slice(1) : samples, fallen };
}

/** Rounded down, so that 100 means all; null: too little is known. @param atMs monotonic clock */
export function hourShare(hour: LastHour, totals: Counts, atMs: number): number | null {
  const known = hour.before !== null && atMs < hour.before.untilMs ? hour.before.share : null;
  const share = countedShare(hour, totals);
  return share === null || known === null ? (share ?? known) : Math.min(share, known);
}

function countedShare({ samples }: LastHour, { written, missing, open }: Counts): number | null {
  const [base] = samples;
  if (base === undefined || written === 0 || samples.length < 2) return null;
  const lost = Math.max(missing - base.missing, 0);
  const made = written - base.written + missing - base.missing;
  // Of no trade at all, none is missing.
  return made <= 0 ? percentOf(1, 1, open) : percentOf(made - lost, made, open);
}

/** The same since the counts began. */
export function sinceStartShare({ fallen }: LastHour, { written, missing, open }: Counts): number | null {
  const made = written + missing;
  const share = made === 0 ? null : percentOf(written, made, open);
  if (fallen === null || written >= fallen.written) return share;
  return Math.min(share ?? fallen.share, fallen.share);
}

function percentOf(written: number, made: number, open: number): number {
  const share = Math.floor((10_000 * written) / made) / 100;
  return open > 0 ? Math.min(share, 99.99) : share;
}
