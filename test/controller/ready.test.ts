// Every way in which a feed can be bad, and what its status says of it: docs/decisions/0015-what-ready-means.md lists
// the same. Ready is True for none of them, and a market in which nobody trades is none of them.
import { readFileSync } from 'node:fs';
import { expect, describe as group, test } from 'vitest';
import type { ContinuityStatus, WorkerStatus } from '../../api/worker-status.ts';
import type { Reason } from '../../controller/errors.ts';
import { describe, type Seen } from '../../controller/status.ts';
import { sampleFeed } from './sample-feed.ts';
import { conditionOf, counted, report, startMs, wellSeen, withReports, withSymbol, workerStatus } from './seen.ts';

const well = wellSeen();
const { symbols } = well.feed.spec;
const streams = workerStatus(symbols);
const hourMs = 3_600_000;

const said = (status: WorkerStatus | Error, ready = true): Seen => withReports(well, [report(status, ready)]);
const ofBtc = (changes: Partial<ContinuityStatus>): Seen =>
  said(withSymbol(streams, 'BTCUSDT', { continuity: { ...counted, proven: false, ...changes } }));
const gap = (state: 'open' | 'lost', ageMs = 0) => {
  return { firstId: '5', lastId: '6', state, message: state === 'lost' ? 'gone' : '', timeMs: startMs - ageMs };
};
const standby = workerStatus(symbols, { role: 'standby', streaming: false, message: 'standby: pod-y owns shard 0' });
const withStandby = wellSeen(sampleFeed({ standbys: 1 }));
const notReady = (counts: object): Seen => {
  const deployments = well.deployments.map((it) => ({ ...it, status: { ...it.status, ...counts } }));
  return { ...well, deployments };
};
const wasReady = (seen: Seen): Seen => ({ ...seen, previous: describe(well) });

const ways: [way: string, reason: Reason, seen: Seen][] = [
  [
    'the exchange is not connected',
    'NotStreaming',
    said({ ...streams, streaming: false, message: 'cannot connect' }, false),
  ],
  [
    'it is connected, and nothing is heard, not even a heartbeat',
    'NotStreaming',
    said({ ...streams, streaming: false, message: 'nothing was heard for 60 s' }, false),
  ],
  [
    'the broker takes nothing',
    'NotStreaming',
    said({ ...streams, streaming: false, message: 'no broker answers' }, false),
  ],
  [
    'a symbol is refused',
    'SymbolsRefused',
    said(withSymbol(streams, 'BTCUSDT', { state: 'refused', message: 'not listed' })),
  ],
  ['a subscription is not acknowledged', 'SymbolsPending', said(withSymbol(streams, 'BTCUSDT', { state: 'pending' }))],
  ['a symbol is silent while its peers trade', 'SymbolsSilent', ofBtc({ silent: true })],
  ['a symbol is written by no worker', 'SymbolsPending', said(workerStatus(['ETHUSDT']))],
  ['a gap is open', 'GapsOpen', ofBtc({ missing: 2, gaps: [gap('open')] })],
  ['trades are lost', 'TradesLost', ofBtc({ missing: 2, gaps: [gap('lost', hourMs)] })],
  ['nobody writes a shard', 'NoOwner', { ...wasReady(said(standby)), ownerless: [0] }],
  ['nobody has written a shard yet', 'SymbolsPending', said(standby)],
  ['a worker cannot be asked', 'WorkerUnreachable', wasReady(said(new Error('connect ETIMEDOUT 10.0.0.1:8080')))],
  [
    'the owner cannot be asked, though its standby can',
    'WorkerUnreachable',
    wasReady(withReports(withStandby, [report(new Error('connect ETIMEDOUT 10.0.0.1:8080')), report(standby)])),
  ],
  ['there is no worker', 'NoWorker', { ...wasReady(withReports(well, [])), pods: [] }],
  ['a worker is not available', 'WorkersStarting', notReady({ availableReplicas: 0, readyReplicas: 0 })],
  ['workers of the new configuration are not there yet', 'WorkersStarting', notReady({ updatedReplicas: 0 })],
  ['workers of an old configuration still run', 'WorkersStarting', notReady({ replicas: 2, updatedReplicas: 1 })],
  [
    'a Deployment was not looked at by Kubernetes since it changed',
    'WorkersStarting',
    notReady({ observedGeneration: -1 }),
  ],
  ['a topic is missing', 'TopicsPending', { ...wasReady(well), topics: new Map() }],
  ['a subject is missing', 'SubjectsPending', { ...wasReady(well), subjects: new Map() }],
];

group('a feed is not Ready when', () => {
  test.each(ways)('%s: %s', (_, reason, seen) => {
    const ready = conditionOf(describe(seen), 'Ready');
    expect([ready?.status === 'True', ready?.reason]).toEqual([false, reason]);
  });

  test('its status is old: nothing of it is taken over but times, the newest trade and what is not known now', () => {
    const old = { ...describe(well), refusedSymbols: [{ symbol: 'BTCUSDT', message: 'not listed' }] };
    const now = describe({
      ...withReports(well, []),
      pods: [],
      deployments: [],
      previous: old,
      nowMs: startMs + 24 * hourMs,
    });
    expect(conditionOf(now, 'Ready')).toMatchObject({ status: 'False', lastTransitionTime: '2026-01-02T00:00:00Z' });
    expect(now.refusedSymbols).toBeUndefined();
    expect(now.live).toEqual({ tradesPerSecond: 0, lastTradeTime: '2026-01-01T00:00:00Z' });
  });

  test('the decision page lists exactly these ways', () => {
    const page = readFileSync(new URL('../../docs/decisions/0015-what-ready-means.md', import.meta.url), 'utf8');
    const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'));
    const listed = rows.map((row) => row.slice(2).split(' | ').slice(0, 2));
    expect(listed).toEqual(ways.map(([way, reason]) => [way, `\`${reason}\``]));
  });
});

group('a feed is Ready though', () => {
  test.each<[string, Seen]>([
    ['nobody trades', said({ ...streams, tradesPerSecond: 0 })],
    ['nobody has traded for a day', { ...said({ ...streams, tradesPerSecond: 0 }), nowMs: startMs + 24 * hourMs }],
    ['a symbol had no trade yet', ofBtc({ message: 'nothing was read yet', written: 0, sinceMs: null })],
    ['the ids of its exchange prove nothing', ofBtc({ provable: false, message: 'ids are not numbered' })],
    [
      'a connection has just been replaced, and trades may have come meanwhile',
      ofBtc({ message: 'reading was interrupted' }),
    ],
    ['a shard changes hands at this moment', wasReady(said(standby))],
    [
      'trades were lost that the topic would not hold any more',
      ofBtc({ missing: 2, gaps: [gap('lost', 49 * hourMs)] }),
    ],
  ])('%s', (_, seen) => {
    const status = describe(seen);
    expect(conditionOf(status, 'Ready')).toMatchObject({ status: 'True', reason: 'FeedReady' });
    expect(status.conditions?.map(({ type }) => type)).not.toContain('Reconciling');
  });
});
