// The reconcile of feeds that name Secrets; what is in them and how they are read is in secrets.test.ts.
import { describe, expect, test } from 'vitest';
import { TargetError } from '../../controller/errors.ts';
import { ready, World } from './world.ts';

const condition = (world: World, type: string) => world.status.conditions?.find((it) => it.type === type);

describe('a Secret that is missing', () => {
  const missing = new TargetError('SecretMissing', 'Secret kafka, named by kafka.authSecretRef, is not in namespace x');

  test('keeps a new feed from everything, and is named with what to do', async () => {
    const world = new World();
    world.secretProblem = missing;
    expect(await world.reconcile()).toBeLessThanOrEqual(30_000);
    expect(world.takeDeeds()).toEqual(['write status']);
    expect(condition(world, 'Ready')).toMatchObject({ status: 'False', reason: 'SecretMissing' });
    expect(condition(world, 'Ready')?.message).toContain(`${missing.message}. Create the Secret`);
    world.secretProblem = null;
    await world.reconcile();
    expect(world.takeDeeds()).toContain('apply Deployment binance-0');
  });

  test('leaves workers alone that run', async () => {
    const world = await ready();
    world.secretProblem = missing;
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(['write status']);
    expect(world.deployments).toHaveLength(1);
    expect(world.reason).toBe('SecretMissing');
    world.secretProblem = null;
    await world.reconcile();
    expect(world.reason).toBe('FeedReady');
  });
});

describe('a Secret that is rotated', () => {
  test('has topics and subjects looked at with it, before anything else', async () => {
    const world = await ready();
    await world.reconcile();
    expect(world.takeDeeds()).not.toContain('look at topics');
    world.secretHash = 'rotated';
    await world.reconcile();
    expect(world.takeDeeds()).toEqual(expect.arrayContaining(['look at topics', 'look at subjects']));
    await world.reconcile();
    expect(world.takeDeeds()).not.toContain('look at topics');
  });
});
