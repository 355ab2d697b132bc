import { describe, expect, test } from 'vitest';
import { desire } from '../../controller/desired.ts';
import { judgeWorkers } from '../../controller/workers.ts';
import { type Deployment, type Pod, shardLabel } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const deployment = (status: NonNullable<Deployment['status']>): Deployment => {
  const [applied] = desire(sampleFeed(), config, schemas).workload.deployments;
  if (applied === undefined) throw new Error('no Deployment is desired');
  return { ...applied, metadata: { ...applied.metadata, generation: 2 }, status };
};
const judge = (one: Deployment, pods: Pod[]) => judgeWorkers(1, [one], pods);
const available = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
const pod = (status: NonNullable<Pod['status']>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'binance-0-x', namespace: 'market-data', labels: { [shardLabel]: '0' } },
  status,
});
const container = { ready: false, restartCount: 0 };
type Container = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];
const waiting = (reason: string, more: Partial<Container> = {}): Pod =>
  pod({ containerStatuses: [{ ...container, state: { waiting: { reason, message: 'why' } }, ...more }] });

describe('workers', () => {
  test('are available once all of the newest configuration are', () => {
    expect(judge(deployment(available), []).reason).toBe('AllWorkersAvailable');
  });

  test('are pending while there is no Deployment', () => {
    expect(judgeWorkers(1, [], []).reason).toBe('WorkersPending');
  });

  test.each([
    ['the Deployment was not looked at since it changed', { ...available, observedGeneration: 1 }],
    ['only the old one is available', { ...available, updatedReplicas: 0 }],
    ['none is available', { ...available, availableReplicas: 0 }],
    ['there is no status yet', {}],
  ])('are starting while %s', (_, status) => {
    expect(judge(deployment(status), [pod({ phase: 'Pending' })]).reason).toBe('WorkersStarting');
  });

  test('that the API server refuses are told in its words', () => {
    const conditions = [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: pods=1' }];
    expect(judge(deployment({ conditions }), [])).toEqual({
      reason: 'WorkersRefused',
      seen: 'exceeded quota: pods=1',
    });
  });

  test.each([
    ['ErrImagePull', 'ImagePullFailed', 'binance-0-x: ErrImagePull: why'],
    ['ImagePullBackOff', 'ImagePullFailed', 'binance-0-x: ImagePullBackOff: why'],
    [
      'CreateContainerConfigError',
      'WorkerCrashing',
      'binance-0-x ended 0 times, last with CreateContainerConfigError: why',
    ],
  ])('whose container waits for %s: %s', (reason, wanted, seen) => {
    expect(judge(deployment({}), [waiting(reason)])).toEqual({ reason: wanted, seen });
  });

  test('that crash are told with their last words', () => {
    const terminated = { exitCode: 2, reason: 'Error', message: '{"msg":"started"}\nK2_SYMBOLS: is not set\n' };
    const crashing = waiting('CrashLoopBackOff', { restartCount: 3, lastState: { terminated } });
    expect(judge(deployment({}), [crashing])).toEqual({
      reason: 'WorkerCrashing',
      seen: 'binance-0-x ended 3 times, last with exit code 2: K2_SYMBOLS: is not set',
    });
  });

  test('that were killed without a word are told with the reason', () => {
    const terminated = { exitCode: 137, reason: 'OOMKilled' };
    const { seen } = judge(deployment({}), [waiting('', { restartCount: 1, lastState: { terminated } })]);
    expect(seen).toContain('exit code 137: OOMKilled');
  });

  test('that no node takes are told in the words of the scheduler', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: cpu' }];
    expect(judge(deployment({}), [pod({ conditions })])).toEqual({
      reason: 'WorkersUnschedulable',
      seen: 'binance-0-x: 0/1 nodes: cpu',
    });
  });

  test('that just start are not called crashing', () => {
    const starting = pod({
      containerStatuses: [{ ...container, state: { waiting: { reason: 'ContainerCreating' } } }],
    });
    expect(judge(deployment({}), [starting]).reason).toBe('WorkersStarting');
  });
});

describe('workers of several shards', () => {
  const ofShard = (shard: number, status: NonNullable<Deployment['status']>): Deployment => {
    const one = deployment(status);
    return { ...one, metadata: { ...one.metadata, name: `binance-${shard}`, labels: { [shardLabel]: String(shard) } } };
  };

  test('are available once those of every shard are', () => {
    expect(judgeWorkers(2, [ofShard(0, available), ofShard(1, available)], [])).toEqual({
      reason: 'AllWorkersAvailable',
      seen: '2 of 2 workers are available',
    });
    expect(judgeWorkers(2, [ofShard(0, available), ofShard(1, {})], [])).toEqual({
      reason: 'WorkersStarting',
      seen: '1 of 2 workers are available',
    });
  });

  test('are pending while a shard has no Deployment', () => {
    expect(judgeWorkers(2, [ofShard(0, available)], [])).toEqual({
      reason: 'WorkersPending',
      seen: '1 of 2 shards have workers',
    });
  });

  test('are told with the trouble of the shard that is not available, not with that of an old pod of another', () => {
    const crashing = waiting('ErrImagePull');
    const two = [ofShard(0, available), ofShard(1, {})];
    expect(judgeWorkers(2, two, [crashing]).reason).toBe('WorkersStarting');
    const own = { ...crashing, metadata: { ...crashing.metadata, labels: { [shardLabel]: '1' } } };
    expect(judgeWorkers(2, two, [own]).reason).toBe('ImagePullFailed');
  });
});
