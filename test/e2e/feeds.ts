// What the end-to-end tests do with feeds: apply, wait, look, delete; and with what stands in their topics.
import { stringify } from 'yaml';
import type { ExchangeFeed, ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import type { SentFrame, SimulatorControl } from '../simulator/control.ts';
import { type Bed, type ConsumedRecord, consume } from './bed.ts';
import { kubectl, namespace } from './operator.ts';
import { eventually, type Outcome, outcomeOf } from './process.ts';

/** From the pods' side, as test/simulator/deploy.yaml names it. */
export const simulatorHost = 'exchange-simulator.exchange-simulator.svc:8080';

export type PartialSpec = Partial<Omit<ExchangeFeedSpec, 'topics'>> & { topics?: object };

/** A manifest of a feed that reads from the simulator. */
export function manifestOf(name: string, spec: PartialSpec): string {
  return stringify({
    apiVersion: 'feeds.k2.dev/v1alpha1',
    kind: 'ExchangeFeed',
    metadata: { name, namespace },
    spec: {
      exchange: 'binance',
      endpoint: { webSocketUrl: `ws://${simulatorHost}`, restUrl: `http://${simulatorHost}` },
      ...spec,
    },
  });
}

/** `kubectl apply`, whatever comes of it. */
export function tryApply(bed: Bed, manifest: string): Promise<Outcome> {
  return outcomeOf(bed.kubectl, ['apply', '-f', '-'], { input: manifest, env: { KUBECONFIG: bed.kubeconfig } });
}

/** @throws Error with the API server's words */
export async function apply(bed: Bed, manifest: string): Promise<void> {
  const { code, stderr } = await tryApply(bed, manifest);
  if (code !== 0) throw new Error(stderr);
}

export async function getFeed(bed: Bed, name: string): Promise<ExchangeFeed> {
  return JSON.parse(await kubectl(bed, '-n', namespace, 'get', 'exchangefeed', name, '-o', 'json')) as ExchangeFeed;
}

export async function waitReady(bed: Bed, name: string, timeoutSeconds = 60): Promise<void> {
  try {
    const wait = ['wait', '--for=condition=Ready', `exchangefeed/${name}`, `--timeout=${timeoutSeconds}s`];
    await kubectl(bed, '-n', namespace, ...wait);
  } catch (error) {
    const feed = await kubectl(bed, '-n', namespace, 'get', 'exchangefeed', name, '-o', 'yaml');
    const pods = await kubectl(bed, '-n', namespace, 'get', 'pods', '-o', 'wide');
    throw new Error(`${error}\n${feed}\n${pods}`);
  }
}

/** Deletes the feed and waits until it is gone. */
export async function deleteFeed(bed: Bed, name: string): Promise<void> {
  await kubectl(bed, '-n', namespace, 'delete', 'exchangefeed', name, '--ignore-not-found', '--timeout=90s');
}

export function conditionOf(feed: ExchangeFeed, type: string) {
  return feed.status?.conditions?.find((condition) => condition.type === type);
}

export interface Lines {
  sent: SentFrame[];
  raw: ConsumedRecord[];
  normalized: ConsumedRecord[];
}

/**
 * Halts the simulated market until the topics hold as many records as trades were sent, and gives all three.
 * The wait ends after 30 s, and what is there is given as it is: the comparison then shows what is missing.
 */
export async function settle(bed: Bed, simulator: SimulatorControl, topic: string): Promise<Lines> {
  await simulator.pause();
  const sent: SentFrame[] = [];
  for await (const frame of simulator.sent()) if (frame.symbol !== null) sent.push(frame);
  const read = async () => ({
    sent,
    raw: await consume(bed, `${topic}.raw`),
    normalized: await consume(bed, topic, bed.schemaRegistryUrl),
  });
  const complete = async () => {
    const lines = await read();
    if (lines.raw.length < sent.length || lines.normalized.length < sent.length)
      throw new Error(`${lines.raw.length} raw, ${lines.normalized.length} normalized of ${sent.length}`);
    return lines;
  };
  try {
    return await eventually('all trades in the topics', 30_000, complete).catch(read);
  } finally {
    await simulator.resume();
  }
}

/** Topics of a test's own, so that it finds them empty however often it runs on one bed. */
export function ownTopics(name: string): { topic: string; topics: object } {
  const topic = `${name}-${process.pid}`;
  return { topic, topics: { raw: { name: `${topic}.raw` }, normalized: { name: topic } } };
}
