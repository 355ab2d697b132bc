// Looks at the topics of one broker, shared by all feeds that ask: a broker has no watch, and a thousand feeds that
// look for drift must not ask a thousand times.
import type { Topic } from '../desired.ts';
import { TargetError } from '../errors.ts';
import type { ObservedTopic, ObservedTopics } from '../plan.ts';

/** Null: it does not exist. An error: it is there, and the broker does not show it. */
export type TopicSeen = ObservedTopic | TargetError | null;
/** Names of topics, and of the settings of each that somebody wants to know. */
export type WantedTopics = ReadonlyMap<string, ReadonlySet<string>>;

export interface TopicLooksOptions {
  /** @throws TargetError when nothing can be seen at all */
  look: (wanted: WantedTopics) => Promise<ReadonlyMap<string, TopicSeen>>;
  /** Monotonic, milliseconds. */
  nowMs: () => number;
}

export interface TopicLooks {
  /** As Target.observe(). */
  observe(topics: readonly Topic[], ageMsMax: number): Promise<ObservedTopics>;
}

interface Entry {
  settings: Set<string>;
  seen: TopicSeen;
  /** When the look began; before all times: never. */
  seenMs: number;
  askedMs: number;
}

// Every feed looks for drift each five minutes: what nobody asked for in three times that is of a feed that is gone.
const interestMsMax = 900_000;

export function createTopicLooks({ look, nowMs }: TopicLooksOptions): TopicLooks {
  /** The topics of feeds, so the number of feeds bounds them. */
  const entries = new Map<string, Entry>();
  /** What the next look is for, and that look; null: nobody waits for one. */
  let next: { names: Set<string>; done: Promise<void> } | null = null;
  let last: Promise<unknown> = Promise.resolve();

  function note({ name, config }: Topic): Entry {
    const entry = entries.get(name) ?? { settings: new Set(), seen: null, seenMs: -Infinity, askedMs: 0 };
    entries.set(name, entry);
    entry.askedMs = nowMs();
    for (const setting of Object.keys(config)) {
      if (entry.settings.has(setting)) continue;
      entry.settings.add(setting);
      entry.seenMs = -Infinity;
    }
    return entry;
  }

  /** Looks that begin while one is under way are one: it may have begun before what they want to see. */
  function renew(names: Iterable<string>): Promise<void> {
    if (next === null) {
      const done = last.then(run);
      last = done.catch(() => {});
      next = { names: new Set(), done };
    }
    for (const name of names) next.names.add(name);
    return next.done;
  }

  async function run(): Promise<void> {
    const names = next?.names ?? [];
    next = null;
    const startMs = nowMs();
    const seen = await look(new Map([...names].map((name) => [name, new Set(entries.get(name)?.settings)])));
    for (const [name, topic] of seen) {
      const entry = entries.get(name);
      if (entry !== undefined) Object.assign(entry, { seen: topic, seenMs: startMs });
    }
  }

  /** Of all that somebody is interested in: who looks for drift looks for the others, too. */
  function olderThan(ageMs: number): string[] {
    for (const [name, { askedMs }] of entries) if (nowMs() - askedMs > interestMsMax) entries.delete(name);
    return [...entries].flatMap(([name, { seenMs }]) => (nowMs() - seenMs >= ageMs ? [name] : []));
  }

  return {
    async observe(topics, ageMsMax) {
      const asked = topics.map(note);
      const names = topics.map(({ name }) => name);
      const isStale = asked.some(({ seenMs }) => nowMs() - seenMs >= ageMsMax);
      if (isStale) await renew(ageMsMax === 0 ? names : [...names, ...olderThan(ageMsMax)]);
      return new Map(topics.flatMap((topic) => observed(topic, entries.get(topic.name)?.seen ?? null)));
    },
  };
}

/** With the settings that this feed wants, whatever others want to know. */
function observed({ name, config }: Topic, seen: TopicSeen): [string, ObservedTopic][] {
  if (seen instanceof TargetError) throw seen;
  if (seen === null) return [];
  const wanted = Object.entries(seen.config).filter(([setting]) => setting in config);
  return [[name, { ...seen, config: Object.fromEntries(wanted) }]];
}
