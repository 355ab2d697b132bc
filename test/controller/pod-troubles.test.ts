import { describe, expect, test } from 'vitest';
import { troubleOfPod } from '../../controller/pod-troubles.ts';
import type { ContainerStatus, Pod } from '../../controller/workload.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');
const minutesAgo = (minutes: number) => new Date(nowMs - minutes * 60_000).toISOString();
const troubleOf = (status: NonNullable<Pod['status']>) =>
  troubleOfPod({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'binance-0-x' }, status }, nowMs);
const troubleWith = (container: Partial<ContainerStatus>) =>
  troubleOf({ containerStatuses: [{ name: 'worker', ready: false, restartCount: 0, ...container }] });
const waiting = (reason: string, message = 'why') => troubleWith({ state: { waiting: { reason, message } } });
const backOff = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container' } };

describe('a pod', () => {
  test.each([
    ['ErrImagePull', 'ImagePullFailed'],
    ['ImagePullBackOff', 'ImagePullFailed'],
    ['InvalidImageName', 'ImagePullFailed'],
    ['CreateContainerConfigError', 'WorkerCannotStart'],
    ['CreateContainerError', 'WorkerCannotStart'],
    ['RunContainerError', 'WorkerCannotStart'],
  ])('whose container waits with %s: %s', (reason, wanted) => {
    expect(waiting(reason)).toEqual({ reason: wanted, seen: `binance-0-x: ${reason}: why` });
  });

  test('that waits without a word is told with the reason alone', () => {
    expect(waiting('ErrImageNeverPull', '')?.seen).toBe('binance-0-x: ErrImageNeverPull');
  });

  test('whose program cannot be started is not called crashing', () => {
    const terminated = { exitCode: 128, reason: 'StartError', message: 'exec: "node": executable file not found' };
    expect(troubleWith({ restartCount: 1, state: backOff, lastState: { terminated } })).toEqual({
      reason: 'WorkerCannotStart',
      seen: 'binance-0-x: StartError: exec: "node": executable file not found',
    });
  });

  test('that just starts, or runs and is not ready yet, has no trouble', () => {
    expect(waiting('ContainerCreating', '')).toBeNull();
    expect(waiting('PodInitializing', '')).toBeNull();
    expect(troubleWith({ state: { running: { startedAt: minutesAgo(1) } } })).toBeNull();
    expect(troubleOf({})).toBeNull();
  });

  test('that no node takes is told in the words of the scheduler', () => {
    const message = '0/3 nodes are available: 3 Insufficient cpu.';
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
    expect(troubleOf({ conditions: [condition] })).toEqual({
      reason: 'WorkersUnschedulable',
      seen: `binance-0-x: ${message}`,
    });
  });

  test('that was killed for its memory says so, and how often', () => {
    const terminated = { exitCode: 137, reason: 'OOMKilled' };
    expect(troubleWith({ restartCount: 4, state: backOff, lastState: { terminated } })).toEqual({
      reason: 'WorkerOutOfMemory',
      seen: 'binance-0-x was killed 4 times because it needs more memory than its limit',
    });
  });

  test.each([
    ['a line of text', '{"msg":"started"}\nK2_SYMBOLS: is not set\n', 'K2_SYMBOLS: is not set'],
    ['a line of the log', '{"level":"error","msg":"no \\"schema\\" at /app"}', 'no "schema" at /app'],
    ['a line of the log that was cut', 'ack":"at x"},"msg":"broken"}', 'broken'],
    [
      'what Node.js dies of',
      "file:///app/main.ts:3\nthrow new RangeError('a');\n^\n\nRangeError: a\n    at main.ts:3:7\n\nNode.js v24.0.0\n",
      'RangeError: a',
    ],
    [
      'no more memory in its heap',
      'FATAL ERROR: Reached heap limit\n----- Native stack trace -----\n 1: 0xb\n',
      'FATAL ERROR: Reached heap limit',
    ],
    ['nothing', '', 'Error'],
  ])('that ends with %s is told with its last words', (_, message, words) => {
    const terminated = { exitCode: 1, reason: 'Error', message };
    expect(troubleWith({ restartCount: 3, state: backOff, lastState: { terminated } })).toEqual({
      reason: 'WorkerCrashing',
      seen: `binance-0-x ended 3 times, last with exit code 1: ${words}`,
    });
  });

  test('that has just ended for the first time has ended once', () => {
    expect(troubleWith({ state: { terminated: { exitCode: 2 } } })?.seen).toBe(
      'binance-0-x ended once, last with exit code 2',
    );
  });

  test('that crashes again and again is told so between two crashes, too, until it has run for long', () => {
    const lastState = { terminated: { exitCode: 1, reason: 'Error' } };
    const running = (minutes: number) =>
      troubleWith({ restartCount: 2, state: { running: { startedAt: minutesAgo(minutes) } }, lastState });
    expect(running(1)?.reason).toBe('WorkerCrashing');
    expect(running(10)).toBeNull();
  });

  test('is told with the name of a container that somebody else put in it', () => {
    const waitingFor = (name: string, waiting: { reason: string; message?: string }) => {
      return [{ name, ready: false, restartCount: 0, state: { waiting } }];
    };
    const initContainerStatuses = waitingFor('mesh-init', { reason: 'ErrImagePull', message: 'why' });
    const containerStatuses = waitingFor('worker', { reason: 'PodInitializing' });
    expect(troubleOf({ initContainerStatuses, containerStatuses })).toEqual({
      reason: 'ImagePullFailed',
      seen: 'binance-0-x, container mesh-init: ErrImagePull: why',
    });
  });

  test('that is ready has no trouble, whatever was before', () => {
    const lastState = { terminated: { exitCode: 1, reason: 'Error' } };
    expect(troubleWith({ ready: true, restartCount: 2, lastState })).toBeNull();
  });
});
