// One controller, and several: replicas, strategy, budget, spread.
import { describe, expect, test } from 'vitest';
import { missing, render, renderSet } from './helm.ts';
import { controllerOf, isSelected, kindsOf, one } from './manifests.ts';

describe.skipIf(missing !== null)('one controller', () => {
  test('is what an install makes, and an upgrade never runs two versions side by side', () => {
    const manifests = render();
    expect(one(manifests, 'Deployment').spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(kindsOf(manifests)).not.toContain('PodDisruptionBudget');
    expect(controllerOf(manifests).pod).not.toHaveProperty('topologySpreadConstraints');
  });

  test('can do without a lease', () => {
    const { environment } = controllerOf(render({ 'leaderElection.enabled': false }));
    expect(environment.K2_LEADER_ELECTION).toBe('false');
  });
});

describe.skipIf(missing !== null)('several controllers', () => {
  test('elect a leader, are replaced one by one, spread over nodes, and not all drained at once', () => {
    const manifests = renderSet('highly-available');
    const labels = one(manifests, 'Deployment').spec?.template?.metadata.labels;
    const rollingUpdate = { maxSurge: 1, maxUnavailable: 0 };
    expect(one(manifests, 'Deployment').spec).toMatchObject({
      replicas: 2,
      strategy: { type: 'RollingUpdate', rollingUpdate },
    });
    const { environment, pod } = controllerOf(manifests);
    expect(environment.K2_LEADER_ELECTION).toBe('true');
    const [constraint] = pod.topologySpreadConstraints as { labelSelector: { matchLabels: Record<string, string> } }[];
    expect(constraint).toMatchObject({ topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' });
    expect(isSelected(labels, constraint?.labelSelector.matchLabels ?? { none: '' })).toBe(true);
    const budget = one(manifests, 'PodDisruptionBudget').spec as {
      maxUnavailable: number;
      selector: { matchLabels: Record<string, string> };
    };
    expect(budget.maxUnavailable).toBe(1);
    expect(budget).not.toHaveProperty('minAvailable');
    expect(isSelected(labels, budget.selector.matchLabels)).toBe(true);
  });

  test('have the strategy, the spread and the budget that are given', () => {
    const manifests = renderSet('everything');
    expect(one(manifests, 'Deployment').spec?.strategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
    expect(controllerOf(manifests).pod.topologySpreadConstraints).toMatchObject([
      {
        topologyKey: 'topology.kubernetes.io/zone',
        labelSelector: { matchLabels: { 'app.kubernetes.io/component': 'controller' } },
      },
    ]);
    const budget = one(manifests, 'PodDisruptionBudget').spec;
    expect(budget).toHaveProperty('minAvailable', '50%');
    expect(budget).not.toHaveProperty('maxUnavailable');
  });

  test('keep a labelSelector that a constraint brings', () => {
    const own = {
      maxSkew: 2,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { a: 'b' } },
    };
    const { pod } = controllerOf(render({ topologySpreadConstraints: [own] }));
    expect(pod.topologySpreadConstraints).toEqual([own]);
  });
});
