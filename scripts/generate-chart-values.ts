// Writes the schema of the chart's values and their reference page from the comments and defaults in values.yaml. Run
// it after editing that file; test/charts/values.test.ts fails while either is old.
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const root = new URL('../', import.meta.url);
export const valuesPath = 'charts/k2-feed-operator/values.yaml';
export const schemaPath = 'charts/k2-feed-operator/values.schema.json';
export const pagePath = 'docs/reference/chart-values.md';

export interface Schema {
  description?: string;
  type?: string | string[];
  enum?: string[];
  required?: string[];
  additionalProperties?: boolean | Schema;
  properties?: Record<string, Schema>;
  items?: Schema;
  [keyword: string]: unknown;
}

/** One value, or a group of them. */
export interface Value {
  name: string;
  /** Path from the root: `worker.image.tag`. */
  path: string;
  /** Title of the section it stands in. */
  section: string;
  words: string;
  schema: Schema;
  default: unknown;
  /** Values of the group; empty: it is one value. */
  children: Value[];
}

const ports: Schema = { items: { type: 'integer', minimum: 1, maximum: 65535 } };
/** What `@schema <name>` stands for. Where a text may be empty, empty means unset. */
const named: Record<string, Schema> = {
  objectName: { pattern: '^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?)?$' },
  namespace: { pattern: '^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$' },
  registryHost: { pattern: '^[^/\\s]*$' },
  tag: { pattern: '^([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?$' },
  digest: { pattern: '^(sha256:[0-9a-f]{64})?$' },
  pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
  texts: { additionalProperties: { type: 'string' } },
  objects: { items: { type: 'object' } },
  ports,
  somePorts: { ...ports, minItems: 1 },
};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function typeOf(value: unknown, path: string): string {
  if (Array.isArray(value)) return 'array';
  if (isMap(value)) return 'object';
  if (typeof value === 'string' || typeof value === 'boolean') return typeof value;
  if (Number.isInteger(value)) return 'integer';
  throw new Error(
    `${valuesPath}: ${path}: the default ${value} implies no type; use '', {}, [], an integer or a boolean`,
  );
}

/** A line `name:` of the file, and the comment right above it. */
interface Entry {
  indent: number;
  name: string;
  comment: string[];
  section: string;
}

function entriesOf(text: string): Entry[] {
  const entries: Entry[] = [];
  let section = '';
  let comment: string[] = [];
  for (const line of text.split('\n')) {
    const [, indent = '', sharp, rest = ''] = /^( *)(# ?)?(.*)$/.exec(line) ?? [];
    const name = /^(\w+):/.exec(rest)?.[1];
    if (sharp !== undefined) {
      comment.push(rest);
      continue;
    }
    if (name !== undefined) entries.push({ indent: indent.length, name, comment, section });
    if (rest === '' && comment[0]?.startsWith('== ')) section = comment.join(' ').slice(3);
    comment = [];
  }
  return entries;
}

/**
 * The values, with their sections, in the order of the file.
 * @param text of values.yaml, in block style; what has no comment in it is one value, with all that stands below it
 * @throws Error that names a value without a comment beside others that have one, or whose `@schema` says nothing
 */
export function readValues(text: string): Value[] {
  return valuesOf(entriesOf(text), '', parse(text));
}

function valuesOf(entries: Entry[], group: string, defaults: unknown): Value[] {
  const starts = entries.flatMap(({ indent }, index) => (indent === entries[0]?.indent ? [index] : []));
  return entries
    .filter(({ indent }) => indent === entries[0]?.indent)
    .map(({ name, comment, section }, index) => {
      const path = group === '' ? name : `${group}.${name}`;
      const value = isMap(defaults) ? defaults[name] : undefined;
      const { words, rule } = readComment(comment, path);
      const below = entries.slice((starts[index] ?? 0) + 1, starts[index + 1]);
      const isGroup = below.some((entry) => entry.indent === below[0]?.indent && entry.comment.length > 0);
      const children = isGroup ? valuesOf(below, path, value) : [];
      return { name, path, section, words, schema: { type: typeOf(value, path), ...rule }, default: value, children };
    });
}

/** The words of a comment, and what `@schema` at its end says. */
function readComment(comment: string[], path: string): { words: string; rule: Schema } {
  const [words = '', rule = ''] = comment.join('\n').split(/^@schema\b/m);
  if (words === '') throw new Error(`${valuesPath}: ${path}: say in a comment above it what it is for`);
  const meaning: unknown = parse(rule) ?? {};
  const found = typeof meaning === 'string' ? named[meaning] : meaning;
  if (isMap(found)) return { words: words.trim().replaceAll('\n', ' '), rule: found };
  const choices = Object.keys(named).join(', ');
  throw new Error(`${valuesPath}: ${path}: @schema ${rule.trim()}: use a map, or one of ${choices}`);
}

/** Closed: a name that is not a value is refused, and so is taking a value away by null. */
function schemaOf(values: Value[]): Schema {
  const entries = values.map(({ name, words, schema, children }): [string, Schema] => [
    name,
    { description: words, ...(children.length === 0 ? schema : { ...schemaOf(children), ...schema }) },
  ]);
  return {
    type: 'object',
    additionalProperties: false,
    required: values.map(({ name }) => name),
    properties: Object.fromEntries(entries),
  };
}

export function schemaText(values: Value[]): string {
  const head = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Values of the k2-feed-operator chart' };
  return `${JSON.stringify({ ...head, ...schemaOf(values) }, null, 2)}\n`;
}

const pageHead = `\
# Values of the chart

Generated from [\`values.yaml\`](../../${valuesPath}) by \`scripts/generate-chart-values.ts\`.
Helm refuses a name that is not listed here, and a value of another type or form.
How the parts work together: [the chart's page](../../charts/k2-feed-operator/README.md).
`;

function row({ path, words, schema, default: value }: Value): string {
  const choices = schema.enum?.map((choice) => `\`${choice}\``).join(', ');
  const type = choices ?? [schema.type].flat().join(' or ');
  return `| \`${path}\` | ${type} | \`${JSON.stringify(value)}\` | ${words} |\n`;
}

function rows(values: Value[]): string {
  return values
    .map(
      (value) =>
        (value.children.length === 0 ? row(value) : `| **${value.path}** | | | ${value.words} |\n`) +
        rows(value.children),
    )
    .join('');
}

export function pageText(values: Value[]): string {
  const sections = [...new Set(values.map(({ section }) => section))].map((section) => {
    const here = values.filter((value) => value.section === section);
    return `\n## ${section}\n\n| value | type | default | meaning |\n|---|---|---|---|\n${rows(here)}`;
  });
  return pageHead + sections.join('');
}

if (import.meta.main) {
  const values = readValues(readFileSync(new URL(valuesPath, root), 'utf8'));
  writeFileSync(new URL(schemaPath, root), schemaText(values));
  writeFileSync(new URL(pagePath, root), pageText(values));
  console.log(`wrote ${schemaPath} and ${pagePath}`);
}
