// The house rules that take more than one file to see: who imports whom, what nothing uses, what pages promise.
import { posix } from 'node:path';
import type { SourceFile } from './rules.ts';

export type ProjectRule = (files: SourceFile[]) => string[];

interface Reference {
  line: number;
  /** As it is written. */
  text: string;
  /** Path from the root of the project; undefined for a package. */
  target: string | undefined;
}

/** Imports, exports from, and dynamic imports. */
export function importsOf({ path, text }: SourceFile): Reference[] {
  const pattern =
    /^(?:import|export)\b[^'"`;=]*\bfrom ['"]([^'"]+)['"]|^import ['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]/gm;
  return [...text.matchAll(pattern)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    return {
      line: text.slice(0, match.index).split('\n').length,
      text: name,
      target: name.startsWith('.') ? posix.join(posix.dirname(path), name) : undefined,
    };
  });
}

const registry = 'worker/exchanges/index.ts';

interface Room {
  /** Whose imports are limited; of several that match, the first counts. */
  holds: RegExp;
  mayImport: RegExp;
  /** False: no package either. */
  packages: boolean;
  words: string;
}

const rooms: Room[] = [
  { holds: /^api\//, mayImport: /^api\//, packages: true, words: 'api/ imports nothing else of ours' },
  { holds: /^runtime\//, mayImport: /^runtime\//, packages: true, words: 'runtime/ imports nothing else of ours' },
  {
    holds: /^controller\/kube\//,
    mayImport: /^(controller\/kube|runtime)\//,
    packages: true,
    words: 'controller/kube/ knows nothing of our domain: it imports itself and runtime/',
  },
  {
    holds: /^controller\//,
    mayImport: /^((controller|api|runtime)\/|worker\/exchanges\/index\.ts$)/,
    packages: true,
    words: `controller/ imports itself, api/, runtime/ and ${registry}`,
  },
  {
    holds: /^audit\//,
    mayImport: /^((audit|api|runtime)\/|worker\/producer\/failures\.ts$)/,
    packages: true,
    words: 'audit/ shares no judgement with worker/: it imports itself, api/, runtime/ and worker/producer/failures.ts',
  },
  {
    holds: /^worker\/exchanges\/index\.ts$/,
    mayImport: /^worker\/exchanges\//,
    packages: false,
    words: 'the registry imports exchanges only',
  },
  {
    holds: /^worker\/exchanges\//,
    mayImport: /^worker\/(exchanges\/exchange|trade|json|decimal|time)\.ts$/,
    packages: false,
    words: 'an exchange is data and pure functions: it imports exchange.ts, trade.ts, json.ts, decimal.ts and time.ts',
  },
  {
    holds: /^worker\//,
    mayImport: /^(worker|api|runtime)\//,
    packages: true,
    words: 'worker/ imports itself, api/ and runtime/',
  },
];

/** Imports against the layout. */
export const importRules: ProjectRule = (files) =>
  files.flatMap((file) => {
    const room = rooms.find(({ holds }) => holds.test(file.path));
    if (!room) return [];
    return importsOf(file)
      .filter(({ target }) => (target === undefined ? !room.packages : !room.mayImport.test(target)))
      .map(({ line, text }) => `${file.path}:${line}: imports '${text}': ${room.words}`);
  });

/** An exchange named where every exchange passes. */
export const exchangeNames: ProjectRule = (files) => {
  const ids = files
    .map(({ path }) => /^worker\/exchanges\/([a-z0-9-]+)\.ts$/.exec(path)?.[1] ?? '')
    .filter((id) => id !== '' && id !== 'exchange' && id !== 'index');
  if (ids.length === 0) return [];
  const pattern = new RegExp(`\\b(${ids.join('|')})\\b`, 'i');
  const generic = files.filter(({ path }) => /^worker\/(?!exchanges\/).*\.ts$/.test(path));
  return onLines(generic, (line) => {
    const name = pattern.exec(line)?.[0];
    return name ? [`names ${name}: write instead a field of the Exchange contract, set in worker/exchanges/`] : [];
  });
};

const isTest = (path: string) => path.startsWith('test/');
const isEntry = (path: string) => /\.test\.ts$|(^|\/)main\.ts$|^vitest\.config\.ts$/.test(path);

/** TypeScript that nothing imports and no other file names by its path. A test does not keep a program's file alive. */
export const deadFiles: ProjectRule = (files) => {
  const usedBy = new Map<string, string[]>();
  for (const { path, text } of files) {
    const names = [...text.matchAll(/[\w@./-]+\.ts\b/g)].flatMap(([name]) => [
      posix.normalize(name),
      posix.join(posix.dirname(path), name),
    ]);
    for (const name of names) usedBy.set(name, [...(usedBy.get(name) ?? []), path]);
  }
  const isAlive = (path: string) =>
    isEntry(path) || (usedBy.get(path) ?? []).some((by) => by !== path && (isTest(path) || !isTest(by)));
  return files
    .filter(({ path }) => path.endsWith('.ts') && !isAlive(path))
    .map(({ path }) => `${path}:1: nothing uses it: delete it, or name it where it is run`);
};

const isPage = ({ path }: SourceFile) => path.endsWith('.md');
const isWorkflow = ({ path }: SourceFile) => path.startsWith('.github/workflows/');

/** `make` targets that pages and workflows name and the Makefile lacks. */
export const makeTargets: ProjectRule = (files) => {
  const makefile = files.find(({ path }) => path === 'Makefile')?.text ?? '';
  const targets = [...makefile.matchAll(/^([a-z-]+):/gm)].map((match) => match[1] ?? '');
  const named = /(?:^|`|\$ |run: )make ([a-z][a-z-]*)/g;
  return onLines(files.filter(isPage).concat(files.filter(isWorkflow)), (line) =>
    [...line.matchAll(named)]
      .map((match) => match[1] ?? '')
      .filter((target) => !targets.includes(target))
      .map((target) => `'make ${target}' is no target: name one of ${targets.join(', ')}`),
  );
};

/** Actions that a workflow takes by a tag, which can be moved to other code. */
export const actionPins: ProjectRule = (files) =>
  onLines(files.filter(isWorkflow), (line) => {
    const isLoose = /\buses: /.test(line) && !/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line);
    return isLoose ? ["pin the action by its commit, with '# v<version>' behind it"] : [];
  });

/** Links between pages and files of the project that lead nowhere. */
export const pageLinks: ProjectRule = (files) => {
  const paths = new Set(files.flatMap(({ path }) => [path, ...parents(path)]));
  return onLines(files.filter(isPage), (line, path) =>
    [...line.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => !paths.has(posix.join(posix.dirname(path), link).replace(/\/$/, '')))
      .map((link) => `links to ${link}, which is not there: name a file of the project`),
  );
};

/** What `find` says of each line, behind its place. */
function onLines(files: SourceFile[], find: (line: string, path: string) => string[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => find(line, path).map((finding) => `${path}:${index + 1}: ${finding}`)),
  );
}

function parents(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

export const projectRules: ProjectRule[] = [importRules, exchangeNames, deadFiles, makeTargets, actionPins, pageLinks];
