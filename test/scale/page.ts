// docs/scale.md, from what a run measured.
import { writeFileSync } from 'node:fs';
import { type Permission, permissions } from '../../controller/permissions.ts';
import { type Audited, useWords } from './audit.ts';
import { type Counts, totalOf } from './requests.ts';
import { type Changes, type Kept, type Many, type Quiet, readResults } from './results.ts';
import type { Window } from './window.ts';

const unmeasured = 'Not measured yet.';
/** No request shows it: test/controller/permissions.api.test.ts does. */
const askedByAdmission = 'update exchangefeeds.feeds.k2.dev/finalizers';

/** @returns what it has written */
export function writePage(): string {
  const { quiet, many, changes } = readResults();
  const page = `# Scale

Written by \`make scale FEEDS=1000\`. API server, broker, registry and the workers' stand-ins share the machine with the
controller. How it is measured, and what is real in it: [decision 16](decisions/0016-how-scale-is-measured.md).

## Many feeds

${many ? manySection(many) : unmeasured}

## Nothing changes

${quiet ? quietSection(quiet) : unmeasured}

## Changes and rights

${changes ? changesSection(changes) : unmeasured}
`;
  writeFileSync(new URL('../../docs/scale.md', import.meta.url), page);
  return page;
}

function manySection(many: Kept<Many>): string {
  const { feeds, converging, convergedSeconds, steady, trading, restarted, restartSeconds } = many;
  const rows = [
    [`start of the controller to ${feeds} feeds Ready`, `${convergedSeconds.toFixed(0)} s`],
    ['a reconcile meanwhile, p50 and p99', quantiles(converging)],
    ['a reconcile at rest, p50 and p99', quantiles(steady)],
    ['CPU while converging', percent(converging)],
    ['CPU at rest', percent(steady)],
    ['CPU while every feed has trades, so that its figures change', percent(trading)],
    ['memory (RSS) after converging, and in the end', `${megabytes(converging)} and ${megabytes(trading)}`],
    ['start after a crash, until each feed was looked at', seconds(restartSeconds)],
    ['writes to the API server after that start, leases apart', wordsOrNone(restarted.writes)],
  ];
  return `${feeds} feeds with three topics and two subjects of their own each. Measured on ${many.on}.

${table(['', ''], rows)}

Requests per second:

${table(['', 'converging', 'at rest', 'with trades'], requestRows([converging, steady, trading]))}`;
}

function quietSection({ feeds, latenciesMs, window, on }: Kept<Quiet>): string {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) => seconds((sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN) / 1000);
  return `${feeds} feeds that are Ready, for ${window.seconds.toFixed(0)} s. Measured on ${on}.

${table(['written to', 'requests'], quietRows(window))}

Before that, ${sorted.length} of them were applied one after the other: from creation to Ready it took ${at(0.5)} (p50)
and ${at(0.99)} (p99).`;
}

function changesSection({ feeds, removedSeconds, rights, on }: Kept<Changes>): string {
  return `Shards and standbys were added to some feeds and taken away again, then all ${feeds} feeds were deleted, which
took ${removedSeconds.toFixed(0)} s. Measured on ${on}.

Every verb that the chart grants, how often it was used in the whole run, and how often it was refused:

${table(['resource', 'verb', 'used', 'refused'], rightsRows(rights))}

${otherWords(rights)}`;
}

function requestRows(windows: Window[]): string[][] {
  const row = (name: string, count: (window: Window) => number) => [
    name,
    ...windows.map((window) => (count(window) / window.seconds).toFixed(2)),
  ];
  const reads = ({ api }: Window) => totalOf(api.uses) - totalOf(api.writes) - api.leases - totalOf(api.refused);
  return [
    row('reconciles', ({ reconciles }) => reconciles),
    row('API server, reads', reads),
    row('API server, writes', ({ api }) => totalOf(api.writes)),
    row('API server, leases', ({ api }) => api.leases),
    row('broker', ({ broker }) => totalOf(broker)),
    row('broker, of these changes', ({ brokerWrites }) => brokerWrites),
    row('registry', ({ registry }) => totalOf(registry)),
    row('registry, of these changes', ({ registryWrites }) => registryWrites),
  ];
}

function quietRows({ api, broker, registry, brokerWrites, registryWrites, cpuPercent }: Window): string[][] {
  return [
    ['API server', wordsOrNone(api.writes)],
    ['API server, the lease', String(api.leases)],
    ['broker', `${brokerWrites} (and read: ${words(broker)})`],
    ['registry', `${registryWrites} (and read: ${words(registry)})`],
    ['CPU', `${cpuPercent.toFixed(1)} % of a core`],
  ];
}

function rightsRows({ uses, refused }: Audited): string[][] {
  return permissions.flatMap(({ apiGroup, resource, verbs }: Permission) =>
    verbs.map((verb) => {
      const use = useWords(verb, apiGroup, resource);
      const used = use === askedByAdmission ? 'by admission' : String(uses.get(use) ?? 0);
      return [use.slice(verb.length + 1), verb, used, String(refused.get(use) ?? 0)];
    }),
  );
}

/** What was asked without being in the list. */
function otherWords({ uses }: Audited): string {
  const granted = permissions.flatMap(({ apiGroup, resource, verbs }) =>
    verbs.map((verb) => useWords(verb, apiGroup, resource)),
  );
  const others = new Map([...uses].filter(([use]) => !granted.includes(use)));
  return others.size === 0 ? 'Nothing else was asked for.' : `Asked for beside these: ${words(others)}.`;
}

function table(head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const words = (counts: Counts) => [...counts].map(([kind, count]) => `${count} x ${kind}`).join(', ');
const wordsOrNone = (counts: Counts) => words(counts) || '0';
const seconds = (value: number) => `${value.toFixed(value < 1 ? 2 : 1)} s`;
const percent = ({ cpuPercent, seconds: over }: Window) =>
  `${cpuPercent.toFixed(1)} % of a core, over ${over.toFixed(0)} s`;
const megabytes = ({ residentBytes }: Window) => `${Math.round(residentBytes / 1e6)} MB`;
const milliseconds = (value: number | null) => (value === null ? 'none' : `${Math.round(value * 1000)} ms`);
const quantiles = ({ reconcileP50, reconcileP99 }: Window) =>
  `${milliseconds(reconcileP50)} and ${milliseconds(reconcileP99)}`;
