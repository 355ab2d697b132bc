// One stretch of time: what the controller used, and what it asked of API server, broker and registry.
import { setTimeout } from 'node:timers/promises';
import { type Audited, audit } from './audit.ts';
import type { Controller } from './controller.ts';
import { quantile, since } from './prometheus.ts';
import { between, type Counts, writesOf } from './requests.ts';
import type { World } from './world.ts';

export interface Window {
  seconds: number;
  /** Of one core. */
  cpuPercent: number;
  /** At its end. */
  residentBytes: number;
  api: Audited;
  broker: Counts;
  registry: Counts;
  brokerWrites: number;
  registryWrites: number;
  reconciles: number;
  /** Seconds; null: there was none. */
  reconcileP50: number | null;
  reconcileP99: number | null;
}

const reconcileSeconds = 'controller_runtime_reconcile_time_seconds';

/** Starts to look; the function that it gives ends it. The controller must be the same process all the time. */
export async function openWindow(world: World, controller: Controller): Promise<() => Promise<Window>> {
  const { plane, broker, registry, user } = world;
  const startMs = performance.now();
  const auditFrom = await plane.auditEnd();
  const before = { broker: broker.counts(), registry: registry.counts(), cpu: controller.cpuSeconds() };
  const histogramBefore = await controller.histogram(reconcileSeconds);
  return async () => {
    const seconds = (performance.now() - startMs) / 1000;
    const cpuPercent = (100 * (controller.cpuSeconds() - before.cpu)) / seconds;
    const asked = {
      broker: between(before.broker, broker.counts()),
      registry: between(before.registry, registry.counts()),
    };
    const histogram = since(histogramBefore, await controller.histogram(reconcileSeconds));
    return {
      ...{ seconds, cpuPercent, residentBytes: controller.residentBytes(), ...asked },
      api: await audit(plane, user, auditFrom),
      brokerWrites: writesOf(broker, asked.broker),
      registryWrites: writesOf(registry, asked.registry),
      reconciles: histogram.at(-1)?.count ?? 0,
      reconcileP50: quantile(histogram, 0.5),
      reconcileP99: quantile(histogram, 0.99),
    };
  };
}

export async function measure(world: World, controller: Controller, minutes: number): Promise<Window> {
  const end = await openWindow(world, controller);
  await setTimeout(minutes * 60_000);
  return end();
}

/** What follows the last change: a first look at the figures after 5 s, and the next one 30 s later. */
const settleMs = 45_000;
/** More would mean that it never settles. */
const settleRoundsMax = 10;

/** Waits until the controller has written nothing for a while. @throws Error that names what it still writes */
export async function settle({ plane, user }: World): Promise<void> {
  let writes: Audited['writes'] = new Map();
  for (let round = 0; round < settleRoundsMax; round++) {
    const from = await plane.auditEnd();
    await setTimeout(settleMs);
    writes = (await audit(plane, user, from)).writes;
    if (writes.size === 0) return;
  }
  throw new Error(`the controller still writes: ${[...writes].map(([use, count]) => `${count} x ${use}`).join(', ')}`);
}
