// One fault from its beginning until all is whole again, and what is told of it.
import type { Fault, FaultContext } from './fault.ts';
import type { Feed } from './feeds.ts';
import type { Watch } from './reader.ts';
import type { Planned } from './schedule.ts';
import { type System, specOf } from './system.ts';
import { type Recovery, seconds } from './times.ts';
import type { Done } from './verdict.ts';
import { untilWhole } from './whole.ts';

/** What a worker had read and not yet committed when it was hit was made up to so long before. */
const uncommittedMs = 2000;
const nameWidth = 24;
const hitWidth = 58;

export class Attempt {
  readonly #system: System;
  readonly #planned: Planned<Fault, Feed>;
  readonly #feeds: readonly Feed[];
  readonly #startMs = Date.now();
  readonly #doubledBefore: number;
  /** From when the fault took effect. */
  #watch: Watch;
  #hit = '';
  #recovery: Recovery | null = null;

  constructor(system: System, planned: Planned<Fault, Feed>) {
    this.#system = system;
    this.#planned = planned;
    this.#feeds = planned.kind.hits === 'all' ? system.feeds : [planned.feed];
    this.#doubledBefore = system.reader.doubled.length;
    this.#watch = system.reader.watch();
  }

  /** @throws Error when the fault could not be done, or the system was not whole again within its bound */
  async run(): Promise<Recovery> {
    const { kind, feed, number, random } = this.#planned;
    const { standbys } = await specOf(this.#system, feed);
    const context: FaultContext = {
      system: this.#system,
      feed,
      random,
      hit: (what) => {
        this.#hit = what;
        this.#beginWatch();
      },
      whole: () => this.#wholeBetween(),
    };
    try {
      await kind.run(context);
      await untilWhole(this.#system, this.#watch);
      const wholeMs = Date.now() - this.#watch.sinceMs;
      const stallMs = Math.max(...this.#feeds.map(({ topic }) => this.#watch.stallMs(topic)));
      this.#recovery = { number, kind: kind.name, standbys, firstMs: this.#firstMs(), stallMs, wholeMs };
      return this.#recovery;
    } finally {
      this.#system.reader.forget(this.#watch);
    }
  }

  /** Trades that came a second time since it began. */
  get doubled(): number {
    return this.#system.reader.doubled.length - this.#doubledBefore;
  }

  /** Number, kind, what was hit, and times: one line. */
  line(): string {
    const { number, kind, feed } = this.#planned;
    const what = [`#${number}`.padEnd(5), kind.name.padEnd(nameWidth), (this.#hit || feed.name).padEnd(hitWidth)];
    const { firstMs, stallMs, wholeMs } = this.#recovery ?? {};
    const time = (title: string, ms: number | undefined) => (ms === undefined ? '' : `${title} ${seconds(ms)} s`);
    const doubled = this.doubled === 0 ? '' : `${this.doubled} DOUBLED`;
    return [...what, time('first', firstMs), time('stall', stallMs), time('whole', wholeMs), doubled]
      .filter((part) => part !== '')
      .join(' ');
  }

  done(): Done {
    const { number, kind } = this.#planned;
    return {
      fault: number,
      kind: kind.name,
      fromMs: this.#startMs - uncommittedMs,
      untilMs: Date.now(),
      topics: this.#feeds.map(({ topic }) => topic),
      losesUnproven: kind.losesUnproven,
      doubled: this.doubled,
    };
  }

  #beginWatch(): void {
    this.#system.reader.forget(this.#watch);
    this.#watch = this.#system.reader.watch();
  }

  async #wholeBetween(): Promise<void> {
    const watch = this.#system.reader.watch();
    try {
      await untilWhole(this.#system, watch);
    } finally {
      this.#system.reader.forget(watch);
    }
  }

  /** Of the symbol that was last. */
  #firstMs(): number {
    const times = this.#feeds.flatMap(({ topic, symbols }) =>
      symbols.map((symbol) => this.#watch.firstMs(topic, symbol) ?? 0),
    );
    return Math.max(...times);
  }
}
