// Topics on a Kafka broker, through kafkajs' admin client: observed, created, grown, configured; never deleted.
import kafkajs, { type Admin } from 'kafkajs';
import type { Logger } from '../../runtime/log.ts';
import type { Topic } from '../desired.ts';
import type { ObservedTopic, ObservedTopics, TopicAction } from '../plan.ts';
import { createAdmins, errorsOf, errorType, requestMsMax } from './admins.ts';
import type { Target } from './target.ts';

// A CommonJS package whose names Node cannot all find by itself.
const { ConfigResourceTypes } = kafkajs;

export interface DesiredTopics {
  bootstrapServers: string[];
  topics: Topic[];
}

export interface TopicsTarget extends Target<DesiredTopics, ObservedTopics, TopicAction> {
  close(): Promise<void>;
}

// What kafkajs calls a configuration that was set on the topic itself.
const topicConfigSource = 1;

export function createTopicsTarget(log: Logger): TopicsTarget {
  const admins = createAdmins(log);
  return {
    observe: ({ bootstrapServers, topics }) =>
      admins.use(bootstrapServers, `look at ${namesOf(topics)}`, (admin) => observeTopics(admin, topics)),
    apply: ({ bootstrapServers }, action) =>
      admins.use(bootstrapServers, `${action.kind} ${namesOf(action.topics)}`, (admin) => applyAction(admin, action)),
    close: () => admins.close(),
  };
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
