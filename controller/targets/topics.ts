// Topics on a Kafka broker, through kafkajs' admin client: observed, created, grown, configured; never deleted.
import kafkajs, { type Admin } from 'kafkajs';
import type { Logger } from '../../runtime/log.ts';
import type { Topic } from '../desired.ts';
import { TargetError, wordsOf } from '../errors.ts';
import type { ObservedTopic, ObservedTopics, TopicAction } from '../plan.ts';
import { createPool, type Pool } from './pool.ts';
import type { Target } from './target.ts';

// A CommonJS package whose names Node cannot all find by itself.
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

export interface DesiredTopics {
  bootstrapServers: string[];
  topics: Topic[];
}

export interface TopicsTarget extends Target<DesiredTopics, ObservedTopics, TopicAction> {
  close(): Promise<void>;
}

// A broker that does not answer must show in the feed's status within 10 s, after two tries to connect.
const workMsMax = 8_000;
const connectMsMax = 2_000;
const requestMsMax = 4_000;
// Leader elections after a topic was created take some 100 ms; longer trouble is for the reconcile's own backoff.
const retry = { initialRetryTime: 100, maxRetryTime: 500, retries: 3 };
const connectRetry = { ...retry, retries: 1 };
// What kafkajs calls a configuration that was set on the topic itself.
const topicConfigSource = 1;

export function createTopicsTarget(log: Logger): TopicsTarget {
  const admins = createPool<Admin>({
    open: (servers) => openAdmin(servers.split(','), log),
    close: (admin) => admin.disconnect(),
  });
  return {
    observe: ({ bootstrapServers, topics }) =>
      withAdmin(admins, bootstrapServers, `look at ${namesOf(topics)}`, (admin) => observeTopics(admin, topics)),
    apply: ({ bootstrapServers }, action) =>
      withAdmin(admins, bootstrapServers, `${action.kind} ${namesOf(action.topics)}`, (admin) =>
        applyAction(admin, action),
      ),
    close: () => admins.close(),
  };
}

async function openAdmin(brokers: string[], log: Logger): Promise<Admin> {
  const kafka = new Kafka({
    clientId: 'k2-feed-operator',
    brokers,
    connectionTimeout: connectMsMax,
    requestTimeout: requestMsMax,
    retry: connectRetry,
    // What matters comes back as an error; its own ERROR lines are also about what it retries with success.
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message, timestamp, ...details } }) =>
        log.debug({ ...details, client: `kafkajs ${namespace}` }, message),
  });
  const admin = kafka.admin({ retry });
  await admin.connect();
  return admin;
}

async function withAdmin<T>(
  admins: Pool<Admin>,
  brokers: string[],
  what: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const key = brokers.join(',');
  try {
    return await withDeadline(admins.get(key).then(work), workMsMax);
  } catch (error) {
    // The broker answered, so it is there: what it says is about the topics.
    if (errorType(error) !== null)
      throw new TargetError('TopicRefused', `${what}: ${wordsOf(error)}`, { cause: error });
    // A client that lost its broker once may keep stale addresses: the next try gets a new one.
    admins.drop(key);
    throw new TargetError('BrokerUnreachable', `${key}: ${brokerWords(error)}`, { cause: error });
  }
}

async function withDeadline<T>(work: Promise<T>, delayMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${delayMs} ms`)), delayMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

async function observeTopics(admin: Admin, topics: Topic[]): Promise<ObservedTopics> {
  // One request each, since kafkajs does not say which of several topics is unknown.
  const found = (await Promise.all(topics.map(({ name }) => describeTopic(admin, name)))).filter((it) => it !== null);
  if (found.length === 0) return new Map();
  const configs = await describeConfigs(
    admin,
    found.map(({ name }) => name),
  );
  return new Map(
    found.map(({ name, partitions, replicationFactor }): [string, ObservedTopic] => {
      const wanted = Object.keys(topics.find((topic) => topic.name === name)?.config ?? {});
      const entries = (configs.get(name) ?? []).filter(({ configName }) => wanted.includes(configName));
      const config = Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
      return [name, { partitions, replicationFactor, config }];
    }),
  );
}

async function describeTopic(admin: Admin, name: string) {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    const partitions = topics.find((topic) => topic.name === name)?.partitions ?? [];
    return {
      name,
      partitions: partitions.length,
      replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    };
  } catch (error) {
    if (errorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
    throw error;
  }
}

async function describeConfigs(admin: Admin, names: string[]) {
  const resources = names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name }));
  const described = await admin.describeConfigs({ resources, includeSynonyms: false });
  return new Map(described.resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]));
}

async function applyAction(admin: Admin, action: TopicAction): Promise<void> {
  switch (action.kind) {
    case 'create':
      return createTopics(admin, action.topics);
    case 'grow': {
      const topicPartitions = action.topics.map(({ name, partitions }) => ({ topic: name, count: partitions }));
      await admin.createPartitions({ topicPartitions, timeout: requestMsMax });
      return;
    }
    case 'configure':
      return configureTopics(admin, action.topics);
  }
}

async function createTopics(admin: Admin, topics: Topic[]): Promise<void> {
  try {
    await admin.createTopics({
      timeout: requestMsMax,
      waitForLeaders: true,
      topics: topics.map(({ name, partitions, replicationFactor, initialConfig, config }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor,
        configEntries: entriesOf({ ...initialConfig, ...config }),
      })),
    });
  } catch (error) {
    // Another feed that shares a topic was faster; the next look at the broker judges what is there.
    const refused = errorsOf(error).filter((part) => errorType(part) !== 'TOPIC_ALREADY_EXISTS');
    if (refused.length > 0) throw new AggregateError(refused);
  }
}

/** The only way that kafkajs has replaces all configurations of a topic, so those that others set are sent along. */
async function configureTopics(admin: Admin, topics: Topic[]): Promise<void> {
  const described = await describeConfigs(
    admin,
    topics.map(({ name }) => name),
  );
  await admin.alterConfigs({
    validateOnly: false,
    resources: topics.map(({ name, config }) => {
      const own = (described.get(name) ?? []).filter(({ configSource }) => configSource === topicConfigSource);
      const present = Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
      return { type: ConfigResourceTypes.TOPIC, name, configEntries: entriesOf({ ...present, ...config }) };
    }),
  });
}

const entriesOf = (config: Readonly<Record<string, string>>) =>
  Object.entries(config).map(([name, value]) => ({ name, value }));

const namesOf = (topics: Topic[]): string => topics.map(({ name }) => name).join(', ');

const errorsOf = (error: unknown): unknown[] =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [error];

/** The broker's error code by name, such as TOPIC_ALREADY_EXISTS; null: no answer of a broker. */
function errorType(error: unknown): string | null {
  for (const part of errorsOf(error)) {
    // kafkajs wraps what it gave up on; the depth is two at most.
    for (const it of [part, part instanceof Error ? part.cause : null]) {
      if (it instanceof Error && 'type' in it && typeof it.type === 'string') return it.type;
    }
  }
  return null;
}

/** kafkajs trips over its own null when a broker goes away between two requests. */
const brokerWords = (error: unknown): string =>
  error instanceof TypeError ? 'the broker went away during a request' : wordsOf(error);
