import { describe, expect, test } from 'vitest';
import { desire } from '../../controller/desired.ts';
import { judgeWorkers } from '../../controller/workers.ts';
import type { Deployment, Pod } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const deployment = (status: NonNullable<Deployment['status']>): Deployment => {
  const applied = desire(sampleFeed(), config, schemas).deployment;
  return { ...applied, metadata: { ...applied.metadata, generation: 2 }, status };
};
const available = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
const pod = (status: NonNullable<Pod['status']>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'binance-0-x', namespace: 'market-data' },
  status,
});
const container = { ready: false, restartCount: 0 };
type Container = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];
const waiting = (reason: string, more: Partial<Container> = {}): Pod =>
  pod({ containerStatuses: [{ ...container, state: { waiting: { reason, message: 'why' } }, ...more }] });

describe('workers', () => {
  test('are available once all of the newest configuration are', () => {
    expect(judgeWorkers(deployment(available), []).reason).toBe('AllWorkersAvailable');
  });

  test('are pending while there is no Deployment', () => {
    expect(judgeWorkers(null, []).reason).toBe('WorkersPending');
  });

  test.each([
    ['the Deployment was not looked at since it changed', { ...available, observedGeneration: 1 }],
    ['only the old one is available', { ...available, updatedReplicas: 0 }],
    ['none is available', { ...available, availableReplicas: 0 }],
    ['there is no status yet', {}],
  ])('are starting while %s', (_, status) => {
    expect(judgeWorkers(deployment(status), [pod({ phase: 'Pending' })]).reason).toBe('WorkersStarting');
  });

  test('that the API server refuses are told in its words', () => {
    const conditions = [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: pods=1' }];
    expect(judgeWorkers(deployment({ conditions }), [])).toEqual({
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
    expect(judgeWorkers(deployment({}), [waiting(reason)])).toEqual({ reason: wanted, seen });
  });

  test('that crash are told with their last words', () => {
    const terminated = { exitCode: 2, reason: 'Error', message: '{"msg":"started"}\nK2_SYMBOLS: is not set\n' };
    const crashing = waiting('CrashLoopBackOff', { restartCount: 3, lastState: { terminated } });
    expect(judgeWorkers(deployment({}), [crashing])).toEqual({
      reason: 'WorkerCrashing',
      seen: 'binance-0-x ended 3 times, last with exit code 2: K2_SYMBOLS: is not set',
    });
  });

  test('that were killed without a word are told with the reason', () => {
    const terminated = { exitCode: 137, reason: 'OOMKilled' };
    const { seen } = judgeWorkers(deployment({}), [waiting('', { restartCount: 1, lastState: { terminated } })]);
    expect(seen).toContain('exit code 137: OOMKilled');
  });

  test('that no node takes are told in the words of the scheduler', () => {
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: cpu' }];
    expect(judgeWorkers(deployment({}), [pod({ conditions })])).toEqual({
      reason: 'WorkersUnschedulable',
      seen: 'binance-0-x: 0/1 nodes: cpu',
    });
  });

  test('that just start are not called crashing', () => {
    const starting = pod({
      containerStatuses: [{ ...container, state: { waiting: { reason: 'ContainerCreating' } } }],
    });
    expect(judgeWorkers(deployment({}), [starting]).reason).toBe('WorkersStarting');
  });
});
