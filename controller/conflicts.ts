// Feeds that get in each other's way: a topic that two of them want differently, or a symbol that two would write to
// one topic. Pure. docs/decisions/0013-ownership-of-topics.md says who yields, and why.
import type { ExchangeFeed, TopicContent } from '../api/exchange-feed.ts';
import { variables } from '../api/worker-config.ts';
import type { ControllerConfig } from './config.ts';
import { desireTopics, serversOf, type Topic } from './desired.ts';
import { TargetError } from './errors.ts';
import { keyOf } from './kube/object.ts';
import { createStore } from './kube/store.ts';
import { hasEnded, type Pod, type Workload } from './workload.ts';

/** What a feed asks for that another one may ask for, too. */
export interface Claim {
  /** `namespace/name` of the feed. */
  key: string;
  /** Orders feeds by age: the time of creation, which has seconds, then the uid. */
  age: string;
  exchange: string;
  servers: ReadonlySet<string>;
  /** By name. */
  topics: ReadonlyMap<string, Topic>;
  symbols: ReadonlySet<string>;
  /** It is being deleted, and gives its topics up once its workers have ended. */
  isLeaving: boolean;
}

/** The claims of all feeds; what is asked often is found once. */
export interface Claims {
  /** Null: there is no such feed, or its spec is not right, so that it gets no topics and no workers. */
  of(key: string): Claim | null;
  /** Feeds that a change of this one may matter to, and the other way round. */
  rivals(key: string): readonly Claim[];
  /**
   * Names of the feed's topics that others use, too; of feeds that leave, the one whose workers end last takes them.
   * @param hasWorkers whether a feed has any, by its key
   */
  inUse(key: string, hasWorkers: (key: string) => boolean): ReadonlySet<string>;
  /**
   * Reads the claim of one feed again. Returns the keys of the feeds for which that may open or close a conflict.
   * @param feed null: it is gone
   */
  change(key: string, feed: ExchangeFeed | null): ReadonlySet<string>;
}

export interface Conflicts {
  /** Why the feed must wait; empty: nothing stands in its way. */
  failures: TargetError[];
  /** Its workers write what an older feed's workers write as well: they have to end. */
  mustEnd: boolean;
}

export function createClaims(
  feeds: readonly ExchangeFeed[],
  config: Pick<ControllerConfig, 'bootstrapServers'>,
): Claims {
  // A feed can be in the way only of those that use one of its topics.
  const claims = createStore<Claim>(({ topics }) => [...topics.keys()]);
  for (const feed of feeds) claims.set(keyOf(feed), readClaim(feed, config));
  const usersOf = ({ topics }: Claim) => new Set([...topics.keys()].flatMap(claims.byIndex));
  /** By key; forgotten when one of the two changes. */
  const known = new Map<string, readonly Claim[]>();

  function rivals(key: string): readonly Claim[] {
    const own = claims.get(key);
    if (own === null) return [];
    const found = known.get(key) ?? [...usersOf(own)].filter((other) => mayConflict(own, other));
    known.set(key, found);
    return found;
  }

  return {
    of: claims.get,
    rivals,
    inUse(key, hasWorkers) {
      const own = claims.get(key);
      // Of a feed that claims nothing, nothing may be taken for its own.
      if (own === null) return new Set(claims.list().flatMap(({ topics }) => [...topics.keys()]));
      const users = [...usersOf(own)].filter((other) => !other.isLeaving || hasWorkers(other.key));
      const shared = users.flatMap((other) => sharedTopics(own, other));
      return new Set(shared.map(([{ name }]) => name));
    },
    change(key, feed) {
      const before = rivals(key);
      claims.set(key, feed === null ? null : readClaim(feed, config));
      known.delete(key);
      const changed = new Set([...before, ...rivals(key)].map((rival) => rival.key));
      for (const rival of changed) known.delete(rival);
      return changed;
    },
  };
}

/** Null: its spec is not right. */
function readClaim(feed: ExchangeFeed, config: Pick<ControllerConfig, 'bootstrapServers'>): Claim | null {
  const { metadata, spec } = feed;
  try {
    return {
      key: keyOf(feed),
      age: `${metadata.creationTimestamp} ${metadata.uid}`,
      exchange: spec.exchange,
      servers: new Set(serversOf(feed, config)),
      topics: new Map(desireTopics(feed).map((topic) => [topic.name, topic])),
      symbols: new Set(spec.symbols),
      isLeaving: metadata.deletionTimestamp !== undefined && spec.deletionPolicy === 'Delete',
    };
  } catch {
    return null;
  }
}

/**
 * @param key of the feed that asks
 * @param held symbols that the workers of a feed write or are about to, by the feed's key
 */
export function conflictsOf(key: string, claims: Claims, held: (key: string) => ReadonlySet<string>): Conflicts {
  const conflicts: Conflicts = { failures: [], mustEnd: false };
  const own = claims.of(key);
  if (own === null) return conflicts;
  for (const other of claims.rivals(key)) {
    const shared = sharedTopics(own, other);
    const disagreement = disagreementOf(own, other, shared);
    if (disagreement !== null && other.age < own.age) {
      const seen = `${disagreement} feed ${other.key}, which is older`;
      conflicts.failures.push(new TargetError('TopicConflict', seen));
    }
    const contested = contestedSymbols(own, other, shared);
    if (contested.length > 0) addSymbolConflict(conflicts, own, other, contested, held);
  }
  return conflicts;
}

function mayConflict(a: Claim, b: Claim): boolean {
  const shared = sharedTopics(a, b);
  if (shared.length === 0) return false;
  return disagreementOf(a, b, shared) !== null || contestedSymbols(a, b, shared).length > 0;
}

/** Symbols that workers write, or will once Kubernetes has started them. */
export function heldSymbols({ deployments }: Workload, pods: Pod[]): ReadonlySet<string> {
  const coming = deployments.filter(({ spec }) => spec.replicas > 0).map(({ spec }) => spec.template);
  const running = pods.filter((pod) => !hasEnded(pod));
  return new Set([...coming, ...running].flatMap(symbolsOf));
}

interface PodTemplate {
  spec?: { containers?: { env?: { name: string; value?: string }[] }[] };
}

function symbolsOf(template: unknown): string[] {
  const { spec } = template as PodTemplate;
  const environment = (spec?.containers ?? []).flatMap(({ env = [] }) => env);
  return environment.flatMap(({ name, value = '' }) => (name === variables.symbols.name ? value.split(',') : []));
}

/** Of two lists of brokers that have one in common, both lead to the same cluster. */
function sharedTopics(own: Claim, other: Claim): [own: Topic, other: Topic][] {
  if (own.key === other.key || !isShared(own.servers, other.servers)) return [];
  const shared: [Topic, Topic][] = [];
  for (const [name, topic] of own.topics) {
    const theirs = other.topics.get(name);
    if (theirs !== undefined) shared.push([topic, theirs]);
  }
  return shared;
}

function isShared(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  for (const one of some) if (others.has(one)) return true;
  return false;
}

/** The beginning of a sentence that ends with the other feed; null: they want the same. */
function disagreementOf(own: Claim, other: Claim, shared: [own: Topic, other: Topic][]): string | null {
  for (const [ours, theirs] of shared) {
    const { name } = ours;
    if (ours.content !== theirs.content) {
      return `topic ${name} is for ${contentWords[ours.content]} here, and for ${contentWords[theirs.content]} in`;
    }
    // Frames of two exchanges have two schemas.
    if (ours.content === 'Raw' && own.exchange !== other.exchange) {
      return `topic ${name} is for frames of ${own.exchange} here, and of ${other.exchange} in`;
    }
    const [setting, here, there] = differenceOf(ours, theirs) ?? [];
    if (setting !== undefined) return `topic ${name}: ${setting} is ${here} here, and ${there} in`;
  }
  return null;
}

const contentWords: Record<TopicContent, string> = {
  Raw: 'frames',
  Normalized: 'trades',
  DeadLetters: 'dead letters',
  Cursors: 'cursors',
};

/** A setting that only one of them wants is no disagreement. */
function differenceOf(ours: Topic, theirs: Topic): [setting: string, here: unknown, there: unknown] | null {
  // The topic of the cursors keeps the replicas that it was made with: see plan.ts.
  if (ours.content === 'Cursors') return null;
  for (const field of ['partitions', 'replicationFactor'] as const) {
    if (ours[field] !== theirs[field]) return [`topics.${field}`, ours[field], theirs[field]];
  }
  for (const [setting, here] of Object.entries(ours.config)) {
    const there = theirs.config[setting];
    if (there !== undefined && there !== here) return [setting, here, there];
  }
  return null;
}

function contestedSymbols(own: Claim, other: Claim, shared: [own: Topic, other: Topic][]): string[] {
  const isWritten = shared.some(([{ content }]) => content === 'Raw' || content === 'Normalized');
  if (!isWritten || own.exchange !== other.exchange) return [];
  return [...own.symbols].filter((symbol) => other.symbols.has(symbol));
}

/**
 * Whoever writes a symbol already keeps it: no feed's edit ends another one's stream. If both do, or neither, the older
 * one has it.
 */
function addSymbolConflict(
  conflicts: Conflicts,
  own: Claim,
  other: Claim,
  contested: string[],
  held: (key: string) => ReadonlySet<string>,
): void {
  const [ours, theirs] = [held(own.key), held(other.key)];
  const isYounger = own.age > other.age;
  const isEqual = (symbol: string) => ours.has(symbol) === theirs.has(symbol);
  const lost = contested.filter((symbol) => (isEqual(symbol) ? isYounger : theirs.has(symbol)));
  if (lost.length === 0) return;
  const why = isYounger ? 'which is older' : 'whose workers write them already';
  const seen = `${listOf(lost)} would go to the same topic from feed ${other.key}, ${why}`;
  conflicts.failures.push(new TargetError('SymbolConflict', seen));
  conflicts.mustEnd ||= lost.some((symbol) => ours.has(symbol) && theirs.has(symbol));
}

// Enough to see which ones are meant.
const listedMax = 10;

function listOf(symbols: string[]): string {
  const rest = symbols.length - listedMax;
  return symbols.slice(0, listedMax).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
