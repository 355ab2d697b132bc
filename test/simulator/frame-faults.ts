// Faults on the way from an exchange to its clients: every frame with trades passes here, whatever the protocol. Which
// frames a fault hits is a function of the seed and of the frames that pass.
import type { Clock } from './clock.ts';
import { draw, symbolSeed } from './trades.ts';

export const frameFaultKinds = ['drop', 'duplicate', 'reorder', 'delay', 'garbage', 'truncate', 'oversize'] as const;
export type FrameFaultKind = (typeof frameFaultKinds)[number];

export interface FrameFault {
  /**
   * `reorder` keeps back as many frames as it hits, and sends them in another order; `garbage` and `truncate` send
   * something that is no JSON instead; `oversize` fills the frame up with spaces, so it stays JSON.
   */
  kind: FrameFaultKind;
  /** How many frames it hits before it is over. */
  frames: number;
  /** Frames that fit and pass unharmed before it begins; absent: none. */
  skip?: number;
  /** How likely each frame that fits is hit, drawn from the seed; absent: 1. */
  chance?: number;
  /** For `delay`; frames behind it overtake. Absent: 1,000. */
  delayMs?: number;
  /** For `oversize`: bytes of the frame. Absent: 32 MiB. */
  bytes?: number;
  /** Where it applies; absent: everywhere. */
  exchange?: string;
  connection?: number;
  symbol?: string;
}

export interface FrameFaultState extends FrameFault {
  /** Frames hit so far. */
  hit: number;
}

export interface OutgoingFrame {
  bytes: Buffer;
  symbol: string;
  /** Of its first trade. */
  id: number;
  trades: number;
  fault: FrameFaultKind | null;
}

interface Sender {
  id: number;
  exchange: string;
}

type Put = (frame: OutgoingFrame) => void;

interface Armed {
  fault: FrameFault;
  seed: number;
  seen: number;
  hit: number;
  kept: { frame: OutgoingFrame; put: Put }[];
}

/** Faults that are remembered; the oldest is forgotten beyond it, done or not. */
const faultsMax = 100;
/** Above what clients let pass: ws takes 100 MiB by default, sensible ones a few. */
const oversizeBytes = 32 * 1024 * 1024;
const delayMsDefault = 1000;

export class FrameFaults {
  #armed: Armed[] = [];
  #seed: string;
  #clock: Clock;
  #count = 0;
  /** Changes at clear(), so that what is delayed does not come into the next test. */
  #generation = 0;

  constructor(seed: string, clock: Clock) {
    this.#seed = seed;
    this.#clock = clock;
  }

  add(fault: FrameFault): void {
    const seed = symbolSeed(this.#seed, `fault ${this.#count++}`);
    this.#armed.push({ fault: { ...fault }, seed, seen: 0, hit: 0, kept: [] });
    if (this.#armed.length > faultsMax) this.#armed.shift();
  }

  /** Whether a fault is left that may hit a frame. */
  get isArmed(): boolean {
    return this.#armed.length > 0;
  }

  state(): FrameFaultState[] {
    return this.#armed.map(({ fault, hit }) => ({ ...fault, hit }));
  }

  clear(): void {
    this.#armed = [];
    this.#count = 0;
    this.#generation++;
  }

  /** Puts the frame, or what the first fault that hits it makes of it. */
  pass(from: Sender, frame: OutgoingFrame, put: Put): void {
    const armed = this.#armed.find((candidate) => hits(candidate, from, frame));
    if (!armed) {
      put(frame);
      return;
    }
    const { kind, frames, delayMs = delayMsDefault } = armed.fault;
    const marked = { ...frame, fault: kind };
    if (kind === 'delay') {
      const generation = this.#generation;
      this.#clock.after(delayMs, () => {
        if (generation === this.#generation) put(marked);
      });
    } else if (kind === 'reorder') {
      armed.kept.push({ frame: marked, put });
      if (armed.hit === frames) for (const one of reordered(armed)) one.put(one.frame);
    } else {
      for (const one of harmed(kind, armed, marked)) put(one);
    }
  }
}

/** What is sent instead of a frame. */
function harmed(
  kind: Exclude<FrameFaultKind, 'delay' | 'reorder'>,
  { fault, seed, hit }: Armed,
  frame: OutgoingFrame,
): OutgoingFrame[] {
  const { bytes } = frame;
  switch (kind) {
    case 'drop':
      return [];
    case 'duplicate':
      return [{ ...frame, fault: null }, frame];
    case 'garbage':
      return [{ ...frame, bytes: garbage(seed, hit, bytes.length) }];
    case 'truncate':
      return [{ ...frame, bytes: truncated(seed, hit, bytes) }];
    case 'oversize': {
      const missing = Math.max(0, (fault.bytes ?? oversizeBytes) - bytes.length);
      return [{ ...frame, bytes: Buffer.concat([bytes, Buffer.alloc(missing, ' ')]) }];
    }
  }
}

/** Counts the frame, if it fits, and answers whether the fault takes it. */
function hits(armed: Armed, from: Sender, frame: OutgoingFrame): boolean {
  const { exchange, connection, symbol, frames, skip = 0, chance = 1 } = armed.fault;
  if (armed.hit >= frames) return false;
  if (exchange !== undefined && exchange !== from.exchange) return false;
  if (connection !== undefined && connection !== from.id) return false;
  if (symbol !== undefined && symbol !== frame.symbol) return false;
  armed.seen++;
  if (armed.seen <= skip || draw(armed.seed, armed.seen, 0) >= chance) return false;
  armed.hit++;
  return true;
}

/** All that was kept, in an order drawn from the seed; never the one in which it came. */
function reordered({ kept, seed }: Armed): Armed['kept'] {
  const drawn = kept
    .map((one, index) => ({ one, at: draw(seed, index, 1) }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
  return drawn.every((one, index) => one === kept[index]) ? drawn.reverse() : drawn;
}

/** Printable, as a WebSocket text must be UTF-8, and no JSON: it begins with a bracket that nothing opened. */
function garbage(seed: number, ordinal: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(1, length), '}');
  for (let at = 1; at < bytes.length; at++) bytes[at] = 33 + Math.floor(draw(seed, ordinal, 2 + at) * 94);
  return bytes;
}

/** Cut somewhere before its last byte; frames are ASCII. */
function truncated(seed: number, ordinal: number, bytes: Buffer): Buffer {
  return bytes.subarray(0, 1 + Math.floor(draw(seed, ordinal, 2) * (bytes.length - 1)));
}
