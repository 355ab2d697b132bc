// A reflector that runs against a stub server, for the tests of it.
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect, onTestFinished, vi } from 'vitest';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import type { KubeObject } from '../../../controller/kube/object.ts';
import { createReflector } from '../../../controller/kube/reflector.ts';
import { createFakeClock } from './fake-clock.ts';
import { type Call, configMap, configMapList, type StubApiServer, startStub, transportTo } from './stub-api-server.ts';

export const path = '/api/v1/namespaces/shop/configmaps';

export interface SetUp {
  /** Lists in turn, the last one for ever; watches are left open for the test to speak on. */
  lists?: ((call: Call) => void)[];
  onChange?: () => void;
  idleMsMax?: number;
  isMetadataOnly?: boolean;
}

/** A running reflector, on a clock that the test moves, against a server whose watches the test holds. */
export async function startReflector({ lists = [], onChange, idleMsMax = 60_000, isMetadataOnly = false }: SetUp = {}) {
  let listed = 0;
  const stub: StubApiServer = await startStub((call) => {
    if (call.watch) return;
    const list = lists[Math.min(listed++, lists.length - 1)];
    if (list) list(call);
    else call.json(200, configMapList('10', [configMap('a', '5')]));
  });
  const clock = createFakeClock();
  const registry = new Registry();
  const changes: string[] = [];
  const logged: Record<string, unknown>[] = [];
  const version = (object: KubeObject | null) => object?.metadata.resourceVersion ?? 'none';
  const reflector = createReflector({
    name: 'configmaps',
    transport: transportTo(stub),
    path,
    labelSelector: 'app=shop',
    onChange: (key, previous, current) => {
      changes.push(`${key} ${version(previous)} -> ${version(current)}`);
      onChange?.();
    },
    clock,
    random: () => 0.5,
    log: pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    metrics: createKubeMetrics(registry),
    idleMsMax,
    isMetadataOnly,
  });
  const stop = new AbortController();
  const ended = reflector.run(stop.signal);
  const end = async () => {
    stop.abort(new Error('shutting down'));
    await ended;
  };
  onTestFinished(end);
  const untilChanges = (count: number) =>
    vi.waitFor(() => expect(changes.length).toBeGreaterThanOrEqual(count), { interval: 2, timeout: 4_000 });
  /** Waits until the reflector pauses, ends the pause, and returns how long it was to be. */
  const passPause = async () => {
    const pauseMs = await clock.timer();
    clock.advance(pauseMs);
    return pauseMs;
  };
  return { stub, clock, registry, changes, logged, reflector, stop, ended, end, untilChanges, passPause };
}
