// Desired and observed in, ordered actions out; `[]` when converged. Pure. What cannot or must not be done is a refusal
// with a reason: no action ever removes a partition, a topic, a subject or a schema version. Only a feed that is
// deleted may take topics and subjects with it, by a plan of its own.

import { covers } from './covers.ts';
import type { Desired, DesiredWorkload, Subject, Topic } from './desired.ts';
import { TargetError } from './errors.ts';
import {
  type Deployment,
  isEnding,
  isPaused,
  isRolledOut,
  type PodDisruptionBudget,
  type Workload,
} from './workload.ts';

export interface ObservedTopic {
  partitions: number;
  /** Of the partition that has the fewest replicas. */
  replicationFactor: number;
  /** Of what is desired; absent: the broker does not know such a setting. */
  config: Readonly<Record<string, string>>;
  /** Somebody else made it, as far as the ledger knows: it is used as it is, and never deleted. */
  isAdopted?: true;
}

/** By name; absent: it does not exist. */
export type ObservedTopics = ReadonlyMap<string, ObservedTopic>;
/** The registry's id of the desired schema, by subject; absent: it is not registered there. */
export type ObservedSubjects = ReadonlyMap<string, number>;

export interface Observed {
  topics: ObservedTopics | TargetError;
  subjects: ObservedSubjects | TargetError;
  workload: Workload;
  /** A shard's workers have waited for their turn for so long that another shard must be holding a symbol of theirs. */
  isHeldUp: boolean;
}

export type TopicAction =
  | { target: 'topics'; kind: 'create'; topics: Topic[] }
  | { target: 'topics'; kind: 'grow'; topics: Topic[] }
  | { target: 'topics'; kind: 'configure'; topics: Topic[] };
export type SubjectAction = { target: 'subjects'; kind: 'register'; subjects: Subject[] };
export type WorkersAction = { target: 'workers'; kind: 'apply' | 'remove'; object: Deployment | PodDisruptionBudget };
export type Action = TopicAction | SubjectAction | WorkersAction;

export interface Plan {
  /** Topics, then subjects, then workers. */
  actions: Action[];
  /** Why a target has no actions though it is not as desired; workers have none either then, unless they are to end. */
  refusals: TargetError[];
}

export function plan(desired: Desired, observed: Observed): Plan {
  const topics = planTopics(desired.topics, observed.topics);
  const subjects = planSubjects(desired.subjects, observed.subjects);
  const refusals = [...topics.refusals, ...subjects.refusals];
  // Whoever pauses a feed wants its workers to end, whatever becomes of its topics.
  const mayWork = refusals.length === 0 || isPaused(desired.workload.deployments);
  const workers = mayWork ? planWorkers(desired.workload, observed) : [];
  return { actions: [...topics.actions, ...subjects.actions, ...workers], refusals };
}

function planTopics(desired: Topic[], observed: ObservedTopics | TargetError): Plan {
  if (observed instanceof TargetError) return { actions: [], refusals: [observed] };
  const refusals = desired.flatMap((topic) => refuseTopic(topic, observed.get(topic.name)));
  if (refusals.length > 0) return { actions: [], refusals };
  const actions: TopicAction[] = [];
  const create = desired.filter((topic) => !observed.has(topic.name));
  const grow = desired.filter((topic) => topic.partitions > (observed.get(topic.name)?.partitions ?? topic.partitions));
  const configure = desired.filter((topic) => differs(topic.config, observed.get(topic.name)?.config));
  if (create.length > 0) actions.push({ target: 'topics', kind: 'create', topics: create });
  if (grow.length > 0) actions.push({ target: 'topics', kind: 'grow', topics: grow });
  if (configure.length > 0) actions.push({ target: 'topics', kind: 'configure', topics: configure });
  return { actions, refusals: [] };
}

function differs(desired: Topic['config'], observed: ObservedTopic['config'] = desired): boolean {
  return Object.entries(desired).some(([name, value]) => observed[name] !== value);
}

function refuseTopic(desired: Topic, observed: ObservedTopic | undefined): TargetError[] {
  if (observed === undefined) return [];
  const { name, partitions, replicationFactor } = desired;
  if (desired.content === 'Cursors') {
    if (observed.partitions === partitions) return [];
    const seen = `topic ${name} has ${observed.partitions} partitions, and cursors need one order, that of 1 partition`;
    return [new TargetError('CursorTopicRefused', seen)];
  }
  if (observed.partitions > partitions) {
    const seen = `topic ${name} has ${observed.partitions} partitions, topics.partitions is ${partitions}`;
    return [new TargetError('PartitionShrinkRefused', `${seen}, and Kafka cannot remove any`)];
  }
  const unknown = Object.keys(desired.config).find((setting) => observed.config[setting] === undefined);
  if (unknown !== undefined) {
    return [new TargetError('TopicRefused', `topic ${name}: the broker knows no topic setting "${unknown}"`)];
  }
  if (observed.replicationFactor !== replicationFactor) {
    const seen = `topic ${name} has replication factor ${observed.replicationFactor}`;
    const wanted = `topics.replicationFactor is ${replicationFactor}`;
    return [new TargetError('ReplicationChangeRefused', `${seen}, ${wanted}`)];
  }
  return [];
}

/**
 * Which topics, or subjects, go with a feed that wants its data deleted.
 * @param names the feed's own
 * @param made what this operator made
 * @param inUse what other feeds use
 */
export function planRemoval(
  names: readonly string[],
  made: ReadonlySet<string>,
  inUse: ReadonlySet<string>,
): { removed: string[]; kept: string[] } {
  const removed = names.filter((name) => made.has(name) && !inUse.has(name));
  return { removed, kept: names.filter((name) => !removed.includes(name)) };
}

/** Of a broker that took a setting and has another value all the same: it would be set again for ever. */
export function refuseUnsettled(desired: Topic[], observed: ObservedTopics): TargetError[] {
  return desired.flatMap(({ name, config }) => {
    const present = observed.get(name)?.config ?? config;
    const setting = Object.keys(config).find((it) => present[it] !== config[it]);
    if (setting === undefined) return [];
    const seen = `topic ${name}: ${setting} was set to ${config[setting]}, and the broker has ${present[setting]}`;
    return [new TargetError('TopicRefused', seen)];
  });
}

function planSubjects(desired: Subject[], observed: ObservedSubjects | TargetError): Plan {
  if (observed instanceof TargetError) return { actions: [], refusals: [observed] };
  const missing = desired.filter((subject) => !observed.has(subject.name));
  if (missing.length === 0) return { actions: [], refusals: [] };
  return { actions: [{ target: 'subjects', kind: 'register', subjects: missing }], refusals: [] };
}

/**
 * Shards that are not wanted any more go last: they write the symbols that move until the workers that take these are
 * ready, which by then read them and only wait for the release. They wait with all their symbols, so one that cannot
 * start must not hold up the others for ever.
 */
function planWorkers(desired: DesiredWorkload, { workload, isHeldUp }: Observed): WorkersAction[] {
  const deployments = desired.deployments.filter((deployment) => needsApply(deployment, workload.deployments));
  const budgets = desired.budgets.filter((budget) => needsApply(budget, workload.budgets));
  const areMoved = desired.deployments.every(({ metadata: { name } }) =>
    workload.deployments.some((it) => it.metadata.name === name && !isEnding(it) && isRolledOut(it)),
  );
  const mayRemove = (deployments.length === 0 && areMoved) || isHeldUp;
  const removed = [
    ...(mayRemove ? surplusOf(desired, desired.deployments, workload.deployments) : []),
    ...surplusOf(desired, desired.budgets, workload.budgets),
  ];
  return [
    ...[...deployments, ...budgets].map((object) => ({ target: 'workers', kind: 'apply', object }) as const),
    ...removed.map((object) => ({ target: 'workers', kind: 'remove', object }) as const),
  ];
}

type WorkloadObject = Deployment | PodDisruptionBudget;

/** One that is on its way out is made anew once it is gone. */
function needsApply(desired: WorkloadObject, observed: readonly WorkloadObject[]): boolean {
  const stored = observed.find(({ metadata }) => metadata.name === desired.metadata.name);
  return stored === undefined || (!isEnding(stored) && !covers(stored, desired));
}

/** What the feed owns and does not want any more; what others made under the feed's label is not ours to remove. */
function surplusOf<T extends WorkloadObject>(
  { feedUid }: DesiredWorkload,
  desired: readonly T[],
  observed: readonly T[],
): T[] {
  const names = new Set(desired.map(({ metadata }) => metadata.name));
  return observed.filter(
    (object) =>
      !names.has(object.metadata.name) &&
      !isEnding(object) &&
      object.metadata.ownerReferences?.some(({ uid }) => uid === feedUid) === true,
  );
}
