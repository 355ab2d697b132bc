// Runs helm on our chart. `make test` builds the binary and names it in K2_TEST_HELM; else one on PATH is used.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export const chart = fileURLToPath(new URL('../../charts/k2-feed-operator', import.meta.url));
export const release = 'feeds';
export const releaseNamespace = 'k2-system';

const binary = process.env.K2_TEST_HELM ?? 'helm';

function whyNot(): string | null {
  const { error } = spawnSync(binary, ['version']);
  if (!error) return null;
  if (process.env.K2_TEST_HELM) throw new Error(`K2_TEST_HELM=${binary} does not run: ${error.message}`);
  return 'no helm on PATH and K2_TEST_HELM is not set; `make test` builds one';
}

/** Null: helm runs; otherwise why the tests that need it are skipped. A K2_TEST_HELM that does not run is an error. */
export const missing = whyNot();
if (missing) console.warn(`SKIPPED tests of the chart as Helm renders it: ${missing}`);

export interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  securityContext: Record<string, unknown>;
  [field: string]: unknown;
}

export interface PodSpec {
  containers: Container[];
  securityContext: Record<string, unknown>;
  [field: string]: unknown;
}

/** Of a rendered object, what the tests look at; fields of one kind only are optional. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: { template?: { metadata: Manifest['metadata']; spec: PodSpec }; [field: string]: unknown };
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
  roleRef?: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace: string }[];
}

/** Values every install must give. */
export const required = {
  'kafka.bootstrapServers': 'redpanda:9092',
  'schemaRegistry.url': 'http://redpanda:8081',
};

/** Sets of values that the chart carries for tests, as ct (chart-testing) names them: `<set>-values.yaml`. */
export const valueSets = readdirSync(`${chart}/ci`)
  .map((file) => /^(.+)-values\.yaml$/.exec(file)?.[1] ?? '')
  .filter((name) => name !== '');

export const valuesFile = (set: string): string => `${chart}/ci/${set}-values.yaml`;

function sets(values: Record<string, unknown>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--set-json', `${name}=${JSON.stringify(value)}`]);
}

const inNamespace = ['--namespace', releaseNamespace];

/**
 * The objects that an install would send.
 * @param values dotted names and their values, beside the required ones
 * @throws Error with helm's own words when it refuses
 */
export function render(values: Record<string, unknown> = {}): Manifest[] {
  return manifestsOf(run(['template', release, chart, ...inNamespace, ...sets({ ...required, ...values })]));
}

const renderedSets = new Map<string, string>();

/** The same, with the values of a file. */
export function renderSet(set: string): Manifest[] {
  const text = renderedSets.get(set) ?? run(['template', release, chart, ...inNamespace, '--values', valuesFile(set)]);
  renderedSets.set(set, text);
  return manifestsOf(text);
}

function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** What an install prints at its end. */
export function notes(values: Record<string, unknown> = {}): string {
  const flags = [...inNamespace, '--dry-run=client', ...sets({ ...required, ...values })];
  const printed = run(['install', release, chart, ...flags]);
  return printed.slice(printed.indexOf('\nNOTES:'));
}

/** Helm's answer when it refuses these values alone; empty when it takes them. */
export function refusal(values: Record<string, unknown>): string {
  const { status, stderr } = spawnSync(binary, ['template', release, chart, ...sets(values)], { encoding: 'utf8' });
  return status === 0 ? '' : stderr;
}

/** @throws Error with helm's own words */
export function run(args: string[], env: Record<string, string> = {}): string {
  return execFileSync(binary, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}
