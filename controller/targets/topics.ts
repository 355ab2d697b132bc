// Topics on a Kafka broker, through kafkajs' admin client: observed, created, grown, configured; removed only by name.
import { setTimeout } from 'node:timers/promises';
import kafkajs, { type Admin } from 'kafkajs';
import type { Logger } from '../../runtime/log.ts';
import type { Brokers } from '../access.ts';
import type { Topic } from '../desired.ts';
import { TargetError } from '../errors.ts';
import { type Ledger, noted } from '../ledger.ts';
import type { ObservedTopic, ObservedTopics, TopicAction } from '../plan.ts';
import { createAdmins, errorsOf, errorType, refusalOf, requestMsMax } from './admins.ts';
import type { Removable, Target } from './target.ts';
import { createTopicLooks, type TopicLooks, type TopicSeen, type WantedTopics } from './topic-looks.ts';

// A CommonJS package whose names Node cannot all find by itself.
const { ConfigResourceTypes } = kafkajs;

export interface DesiredTopics {
  brokers: Brokers;
  topics: Topic[];
}

export interface TopicsTarget extends Target<DesiredTopics, ObservedTopics, TopicAction>, Removable<DesiredTopics> {
  close(): Promise<void>;
}

export interface TopicsTargetOptions {
  ledger: Ledger;
  log: Logger;
  /** Monotonic, milliseconds. */
  nowMs: () => number;
}

// What kafkajs calls a configuration that was set on the topic itself.
const topicConfigSource = 1;
// A request for so many is some 50 KB, and the answer some 100 KB.
const requestTopicsMax = 500;
// As clients of brokers: see pool.ts.
const looksMax = 32;

export function createTopicsTarget({ ledger, log, nowMs }: TopicsTargetOptions): TopicsTarget {
  const admins = createAdmins(log);
  const looks = new Map<string, TopicLooks>();
  /** By broker: ends with the last feed that makes topics or waits to. */
  const creating = new Map<string, Promise<void>>();

  function looksAt(brokers: Brokers): TopicLooks {
    // A rotated Secret may show other things.
    const key = `${brokers.key} ${brokers.version}`;
    const known = looks.get(key);
    if (known !== undefined) return known;
    if (looks.size >= looksMax) looks.clear();
    const created = createTopicLooks({ nowMs, look: (wanted) => look(brokers, wanted) });
    looks.set(key, created);
    return created;
  }

  async function look(brokers: Brokers, wanted: WantedTopics): Promise<Map<string, TopicSeen>> {
    const what = `look at ${wanted.size} topics`;
    const [clusterId, seen] = await admins.use(brokers, what, async (admin) =>
      Promise.all([clusterIdOf(admin), lookAt(admin, wanted)]),
    );
    const ours = await ledger.made(clusterId);
    return new Map([...seen].map(([name, topic]) => [name, withOrigin(topic, ours.has(name))]));
  }

  async function create(brokers: Brokers, topics: Topic[]): Promise<void> {
    const what = `create ${namesOf(topics).join(', ')}`;
    const clusterId = await admins.use(brokers, what, clusterIdOf);
    const missing = await admins.use(brokers, what, (admin) => missingOf(admin, topics));
    if (missing.length === 0) return;
    await noted('TopicRefused', ledger.begin(clusterId, namesOf(missing)));
    const created = await admins.use(brokers, what, (admin) => createTopics(admin, what, missing));
    await ledger.end(clusterId, created);
    if (created.refusal !== null) throw created.refusal;
    await admins.use(brokers, what, (admin) => untilSeen(admin, created.made));
  }

  /** Of several topics kafkajs does not tell which were there already, so feeds that share some go one by one. */
  function createInTurn(brokers: Brokers, topics: Topic[]): Promise<void> {
    const done = (creating.get(brokers.key) ?? Promise.resolve()).then(() => create(brokers, topics));
    const last = done.catch(() => {});
    creating.set(brokers.key, last);
    void last.then(() => creating.get(brokers.key) === last && creating.delete(brokers.key));
    return done;
  }

  return {
    observe: ({ brokers, topics }, ageMsMax = 0) => looksAt(brokers).observe(topics, ageMsMax),
    apply: ({ brokers }, action) => {
      if (action.kind === 'create') return createInTurn(brokers, action.topics);
      const what = `${action.kind} ${namesOf(action.topics).join(', ')}`;
      return admins.use(brokers, what, (admin) => applyAction(admin, action));
    },
    async made({ brokers, topics }) {
      const clusterId = await admins.use(brokers, 'look at the cluster', clusterIdOf);
      const ours = await ledger.made(clusterId, 'fresh');
      return new Set(topics.map(({ name }) => name).filter((name) => ours.has(name)));
    },
    async remove({ brokers }, names) {
      const what = `delete ${names.join(', ')}`;
      const clusterId = await admins.use(brokers, what, async (admin) => {
        await Promise.all(names.map((name) => deleteTopic(admin, name)));
        return clusterIdOf(admin);
      });
      await ledger.forget(clusterId, names);
    },
    close: () => admins.close(),
  };
}

/** Asked once of each client: one that lost its brokers is dropped, and names may lead elsewhere then. */
function clusterIdOf(admin: Admin): Promise<string> {
  const known = clusterIds.get(admin) ?? admin.describeCluster().then(({ clusterId }) => clusterId);
  clusterIds.set(admin, known);
  known.catch(() => clusterIds.delete(admin));
  return known;
}

const clusterIds = new WeakMap<Admin, Promise<string>>();

async function lookAt(admin: Admin, wanted: WantedTopics): Promise<Map<string, TopicSeen>> {
  const described = await askInParts([...wanted.keys()], (names) => describeTopics(admin, names));
  const found = [...described].flatMap(([name, topic]) => (topic instanceof Error ? [] : [name]));
  const configs = await askInParts(found, (names) => describeConfigs(admin, wanted, names));
  return new Map([...described].map(([name, topic]) => [name, seenOf(name, topic, configs.get(name))]));
}

type Described = Pick<ObservedTopic, 'partitions' | 'replicationFactor'>;

function seenOf(name: string, topic: Described | Error, config: ObservedTopic['config'] | Error = {}): TopicSeen {
  const error = [topic, config].find((it) => it instanceof Error);
  if (topic instanceof Error || config instanceof Error) {
    if (errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
    return refusalOf(`look at ${name}`, error);
  }
  return { ...topic, config };
}

const withOrigin = (seen: TopicSeen, isOurs: boolean): TopicSeen =>
  seen === null || seen instanceof TargetError || isOurs ? seen : { ...seen, isAdopted: true };

/**
 * All in few requests, as long as the broker shows them all: kafkajs does not say which topic an error is about, so
 * half of them is asked for then, and half of that.
 */
async function askInParts<T>(
  names: string[],
  ask: (names: string[]) => Promise<Map<string, T>>,
): Promise<Map<string, T | Error>> {
  if (names.length === 0) return new Map();
  if (names.length <= requestTopicsMax) {
    try {
      return await ask(names);
    } catch (error) {
      if (errorType(error) === null || !(error instanceof Error)) throw error;
      const [only = '', ...others] = names;
      if (others.length === 0) return new Map([[only, error]]);
    }
  }
  const middle = Math.ceil(names.length / 2);
  const parts = [names.slice(0, middle), names.slice(middle)];
  const answers = await Promise.all(parts.map((part) => askInParts(part, ask)));
  return new Map(answers.flatMap((answer) => [...answer]));
}

async function describeTopics(admin: Admin, names: string[]): Promise<Map<string, Described>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  return new Map(
    topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
      },
    ]),
  );
}

async function describeConfigs(admin: Admin, wanted: WantedTopics, names: string[]) {
  const type = ConfigResourceTypes.TOPIC;
  const resources = names.map((name) => ({ type, name, configNames: [...(wanted.get(name) ?? [])] }));
  const described = await admin.describeConfigs({ resources, includeSynonyms: false });
  return new Map(
    described.resources.map(({ resourceName, configEntries }) => [
      resourceName,
      Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
}

async function applyAction(admin: Admin, action: Exclude<TopicAction, { kind: 'create' }>): Promise<void> {
  if (action.kind === 'configure') return configureTopics(admin, action.topics);
  const topicPartitions = action.topics.map(({ name, partitions }) => ({ topic: name, count: partitions }));
  await admin.createPartitions({ topicPartitions, timeout: requestMsMax });
}

interface Created {
  made: string[];
  /** There already: another feed that shares them, or somebody else, was faster; the next look judges them. */
  found: string[];
  /** Of one that the broker refused. */
  refusal: TargetError | null;
}

async function missingOf(admin: Admin, topics: Topic[]): Promise<Topic[]> {
  const described = await askInParts(namesOf(topics), (names) => describeTopics(admin, names));
  const isMissing = (it: unknown) => errorType(it) === 'UNKNOWN_TOPIC_OR_PARTITION';
  // One that the broker does not show may be there or not.
  const hidden = [...described.values()].find((it) => it instanceof Error && !isMissing(it));
  if (hidden !== undefined) throw hidden;
  return topics.filter(({ name }) => isMissing(described.get(name)));
}

async function createTopics(admin: Admin, what: string, topics: Topic[]): Promise<Created> {
  const names = namesOf(topics);
  try {
    const isAllNew = await admin.createTopics({
      timeout: requestMsMax,
      waitForLeaders: false,
      topics: topics.map(({ name, partitions, replicationFactor, initialConfig, config }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor,
        configEntries: entriesOf({ ...initialConfig, ...config }),
      })),
    });
    // Somebody made one of them within these milliseconds: it is not said which, so none counts as ours.
    return { made: isAllNew ? names : [], found: isAllNew ? [] : names, refusal: null };
  } catch (error) {
    if (errorType(error) === null) throw error;
    const failed = new Map(errorsOf(error).map((part) => [topicOf(part), part]));
    const made = failed.has(null) ? [] : names.filter((name) => !failed.has(name));
    const refused = errorsOf(error).find((part) => errorType(part) !== 'TOPIC_ALREADY_EXISTS') ?? error;
    const refusal = refusalOf(`${what}: ${topicOf(refused) ?? 'all'}`, refused);
    return { made, found: names.filter((name) => !made.includes(name)), refusal };
  }
}

const topicOf = (error: unknown): string | null =>
  error instanceof Error && 'topic' in error && typeof error.topic === 'string' ? error.topic : null;

// The brokers hear of a topic some 10 ms after the controller of the cluster has made it; a busy one took 0.5 s.
const seenLooksMax = 20;
const seenLookMs = 100;

/** If they are not there even then, the next look says so. */
async function untilSeen(admin: Admin, names: string[]): Promise<void> {
  for (let looks = 0; looks < seenLooksMax; looks++) {
    const described = await askInParts(names, (some) => describeTopics(admin, some));
    if (![...described.values()].some((it) => it instanceof Error)) return;
    await setTimeout(seenLookMs);
  }
}

async function deleteTopic(admin: Admin, name: string): Promise<void> {
  try {
    await admin.deleteTopics({ topics: [name], timeout: requestMsMax });
  } catch (error) {
    if (errorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
  }
}

/** The only way that kafkajs has replaces all configurations of a topic, so those that others set are sent along. */
async function configureTopics(admin: Admin, topics: Topic[]): Promise<void> {
  const type = ConfigResourceTypes.TOPIC;
  const named = topics.map(({ name }) => ({ type, name }));
  const { resources } = await admin.describeConfigs({ resources: named, includeSynonyms: false });
  const described = new Map(resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]));
  await admin.alterConfigs({
    validateOnly: false,
    resources: topics.map(({ name, config }) => {
      const own = (described.get(name) ?? []).filter(({ configSource }) => configSource === topicConfigSource);
      const present = Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
      return { type, name, configEntries: entriesOf({ ...present, ...config }) };
    }),
  });
}

const entriesOf = (config: Readonly<Record<string, string>>) =>
  Object.entries(config).map(([name, value]) => ({ name, value }));

const namesOf = (topics: readonly Topic[]): string[] => topics.map(({ name }) => name);
