// Desired and observed in, ordered actions out; `[]` when converged. Pure. What cannot or must not be done is a refusal
// with a reason: no action ever removes a partition, a topic, a subject or a schema version.

import { covers } from './covers.ts';
import type { Desired, Subject, Topic } from './desired.ts';
import { TargetError } from './errors.ts';
import type { Deployment } from './workload.ts';

export interface ObservedTopic {
  partitions: number;
  /** Of the partition that has the fewest replicas. */
  replicationFactor: number;
  /** -1: for ever. */
  retentionMs: number;
}

/** By name; absent: it does not exist. */
export type ObservedTopics = ReadonlyMap<string, ObservedTopic>;
/** The registry's id of the desired schema, by subject; absent: it is not registered there. */
export type ObservedSubjects = ReadonlyMap<string, number>;

export interface Observed {
  topics: ObservedTopics | TargetError;
  subjects: ObservedSubjects | TargetError;
  deployment: Deployment | null;
}

export type TopicAction =
  | { target: 'topics'; kind: 'create'; topics: Topic[] }
  | { target: 'topics'; kind: 'grow'; topics: Topic[] }
  | { target: 'topics'; kind: 'set-retention'; topics: Topic[] };
export type SubjectAction = { target: 'subjects'; kind: 'register'; subjects: Subject[] };
export type WorkersAction = { target: 'workers'; kind: 'apply'; deployment: Deployment };
export type Action = TopicAction | SubjectAction | WorkersAction;

export interface Plan {
  /** Topics, then subjects, then workers. */
  actions: Action[];
  /** Why a target has no actions though it is not as desired; workers have none either then. */
  refusals: TargetError[];
}

export function plan(desired: Desired, observed: Observed): Plan {
  const topics = planTopics(desired.topics, observed.topics);
  const subjects = planSubjects(desired.subjects, observed.subjects);
  const refusals = [...topics.refusals, ...subjects.refusals];
  const workers = refusals.length === 0 ? planWorkers(desired.deployment, observed.deployment) : [];
  return { actions: [...topics.actions, ...subjects.actions, ...workers], refusals };
}

function planTopics(desired: Topic[], observed: ObservedTopics | TargetError): Plan {
  if (observed instanceof TargetError) return { actions: [], refusals: [observed] };
  const refusals = desired.flatMap((topic) => refuseTopic(topic, observed.get(topic.name)));
  if (refusals.length > 0) return { actions: [], refusals };
  const actions: TopicAction[] = [];
  const create = desired.filter((topic) => !observed.has(topic.name));
  const grow = desired.filter((topic) => topic.partitions > (observed.get(topic.name)?.partitions ?? topic.partitions));
  const retain = desired.filter(
    (topic) => topic.retentionMs !== (observed.get(topic.name)?.retentionMs ?? topic.retentionMs),
  );
  if (create.length > 0) actions.push({ target: 'topics', kind: 'create', topics: create });
  if (grow.length > 0) actions.push({ target: 'topics', kind: 'grow', topics: grow });
  if (retain.length > 0) actions.push({ target: 'topics', kind: 'set-retention', topics: retain });
  return { actions, refusals: [] };
}

function refuseTopic(desired: Topic, observed: ObservedTopic | undefined): TargetError[] {
  if (observed === undefined) return [];
  const { name, partitions, replicationFactor } = desired;
  if (observed.partitions > partitions) {
    const seen = `topic ${name} has ${observed.partitions} partitions, topics.partitions is ${partitions}`;
    return [new TargetError('PartitionShrinkRefused', `${seen}, and Kafka cannot remove any`)];
  }
  if (observed.replicationFactor !== replicationFactor) {
    const seen = `topic ${name} has replication factor ${observed.replicationFactor}`;
    const wanted = `topics.replicationFactor is ${replicationFactor}`;
    return [new TargetError('ReplicationChangeRefused', `${seen}, ${wanted}`)];
  }
  return [];
}

function planSubjects(desired: Subject[], observed: ObservedSubjects | TargetError): Plan {
  if (observed instanceof TargetError) return { actions: [], refusals: [observed] };
  const missing = desired.filter((subject) => !observed.has(subject.name));
  if (missing.length === 0) return { actions: [], refusals: [] };
  return { actions: [{ target: 'subjects', kind: 'register', subjects: missing }], refusals: [] };
}

function planWorkers(desired: Deployment, observed: Deployment | null): WorkersAction[] {
  if (observed !== null && covers(observed, desired)) return [];
  return [{ target: 'workers', kind: 'apply', deployment: desired }];
}
