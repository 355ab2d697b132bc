import { describe, expect, test } from 'vitest';
import { desire } from '../../controller/desired.ts';
import { judgeWorkers, refusal } from '../../controller/workers.ts';
import { type Deployment, type Pod, shardLabel } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');
const deployment = (status: NonNullable<Deployment['status']>, changes = {}): Deployment => {
  const [applied] = desire(sampleFeed(changes), config, schemas).workload.deployments;
  if (applied === undefined) throw new Error('no Deployment is desired');
  return { ...applied, metadata: { ...applied.metadata, generation: 2 }, status };
};
const judge = (one: Deployment, pods: Pod[] = []) => judgeWorkers(1, [one], pods, nowMs);
const available = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
const pod = (status: NonNullable<Pod['status']>, metadata: Partial<Pod['metadata']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'binance-0-x', namespace: 'market-data', labels: { [shardLabel]: '0' }, ...metadata },
  status,
});
const container = { name: 'worker', ready: false, restartCount: 0 };
const withoutImage: NonNullable<Pod['status']> = {
  containerStatuses: [{ ...container, state: { waiting: { reason: 'ErrImagePull', message: 'why' } } }],
};
const running = { containerStatuses: [{ ...container, started: true, state: { running: { startedAt: '' } } }] };

describe('workers', () => {
  test('are available once all of the newest configuration are', () => {
    expect(judge(deployment(available)).reason).toBe('AllWorkersAvailable');
  });

  test('whose new pod gets no image are told so, although the old one goes on', () => {
    const updating = deployment({ ...available, replicas: 2 });
    expect(judge(updating, [pod(running)]).reason).toBe('WorkersStarting');
    expect(judge(updating, [pod(running), pod(withoutImage)]).reason).toBe('ImagePullFailed');
  });

  test('are pending while there is no Deployment', () => {
    expect(judgeWorkers(1, [], [], nowMs).reason).toBe('WorkersPending');
  });

  test.each([
    ['the Deployment was not looked at since it changed', { ...available, observedGeneration: 1 }],
    ['only the old one is available', { ...available, updatedReplicas: 0 }],
    ['none is available', { ...available, availableReplicas: 0 }],
    ['there is no status yet', {}],
  ])('are starting while %s', (_, status) => {
    expect(judge(deployment(status), [pod({ phase: 'Pending' })]).reason).toBe('WorkersStarting');
    expect(judge(deployment(status), [pod(running)]).reason).toBe('WorkersStarting');
  });

  test('that were available and are not ready any more are not called starting', () => {
    const conditions = [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }];
    const lost = deployment({ ...available, availableReplicas: 0, conditions });
    expect(judge(lost, [pod(running)])).toEqual({
      reason: 'WorkersNotReady',
      seen: '0 of 1 workers are available: binance-0-x runs and is not ready',
    });
    expect(judge(lost, [pod({ phase: 'Pending' })]).reason).toBe('WorkersStarting');
  });

  test('whose pods the API server refuses are told in its words', () => {
    const refused = (message?: string) =>
      judge(deployment({ conditions: [{ type: 'ReplicaFailure', status: 'True', ...(message && { message }) }] }));
    expect(
      refused('pods "x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2'),
    ).toEqual({
      reason: 'QuotaExceeded',
      seen: 'binance-0: pods "x" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2',
    });
    expect(refused('pods "x" is forbidden: violates PodSecurity "restricted:latest"')).toEqual({
      reason: 'WorkersRefused',
      seen: 'binance-0: pods "x" is forbidden: violates PodSecurity "restricted:latest"',
    });
    expect(refused().seen).toBe('binance-0: the API server takes no pod, and does not say why');
  });

  test('that are refused themselves are told with the same reasons', () => {
    expect(refusal('exceeded quota: team, requested: count/deployments.apps=1').reason).toBe('QuotaExceeded');
    expect(refusal('Deployment.apps "binance-0" is invalid').reason).toBe('WorkersRefused');
  });

  test('that got no further in time are told so, unless a pod says why', () => {
    const message = 'ReplicaSet "binance-0-1" has timed out progressing.';
    const conditions = [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message }];
    const slow = deployment({ ...available, updatedReplicas: 0, conditions });
    expect(judge(slow, [pod(running)])).toEqual({ reason: 'ProgressDeadlineExceeded', seen: `binance-0: ${message}` });
    expect(judge(slow, [pod(withoutImage)]).reason).toBe('ImagePullFailed');
  });

  test('are not judged by a pod that ends, or has ended', () => {
    const starting = deployment({});
    expect(judge(starting, [pod(withoutImage)]).reason).toBe('ImagePullFailed');
    expect(judge(starting, [pod(withoutImage, { deletionTimestamp: 'now' })]).reason).toBe('WorkersStarting');
    const terminated = { exitCode: 137, reason: 'Error' };
    const evicted = pod({ phase: 'Failed', containerStatuses: [{ ...container, state: { terminated } }] });
    expect(judge(starting, [evicted]).reason).toBe('WorkersStarting');
  });

  test('of a feed that is paused are none, and those that still end are named', () => {
    const paused = deployment({ observedGeneration: 2 }, { state: 'Paused' });
    expect(judge(paused)).toEqual({ reason: 'WorkersPaused', seen: 'The feed is paused, and no worker runs' });
    expect(judge(paused, [pod(running, { deletionTimestamp: 'now' })]).seen).toBe(
      'The feed is paused, and its workers end: binance-0-x',
    );
  });
});

describe('workers of several shards', () => {
  const ofShard = (shard: number, status: NonNullable<Deployment['status']>): Deployment => {
    const one = deployment(status);
    return { ...one, metadata: { ...one.metadata, name: `binance-${shard}`, labels: { [shardLabel]: String(shard) } } };
  };
  const judgeBoth = (...deployments: Deployment[]) => judgeWorkers(2, deployments, [], nowMs);

  test('are available once those of every shard are', () => {
    expect(judgeBoth(ofShard(0, available), ofShard(1, available))).toEqual({
      reason: 'AllWorkersAvailable',
      seen: '2 of 2 workers are available',
    });
    expect(judgeBoth(ofShard(0, available), ofShard(1, {}))).toEqual({
      reason: 'WorkersStarting',
      seen: '1 of 2 workers are available',
    });
  });

  test('are pending while a shard has no Deployment', () => {
    expect(judgeBoth(ofShard(0, available))).toEqual({
      reason: 'WorkersPending',
      seen: '1 of 2 shards have workers',
    });
  });

  test('are told with the trouble of the shard that is not available, not with that of an old pod of another', () => {
    const two = [ofShard(0, available), ofShard(1, {})];
    expect(judgeWorkers(2, two, [pod(withoutImage)], nowMs).reason).toBe('WorkersStarting');
    const own = pod(withoutImage, { labels: { [shardLabel]: '1' } });
    expect(judgeWorkers(2, two, [own], nowMs).reason).toBe('ImagePullFailed');
  });
});
