// The house rules that one file can break by itself. Each rule is a function from a file to its findings, and a finding
// is one line: path, line number, what is wrong, and what to write instead.

export interface SourceFile {
  /** From the root of the project, with slashes. */
  path: string;
  text: string;
}

export type Rule = (file: SourceFile) => string[];

const lineLengthMax = 120;
const fileLinesMax = 300;
const functionLinesMax = 70;

const isTypeScript = (path: string) => path.endsWith('.ts');
const isProgram = (path: string) => /^(api|runtime|controller|worker|audit)\/.*\.ts$/.test(path);
/** The rules have to spell out what they look for, and their tests are the bad examples. */
const isTidy = (path: string) => path.startsWith('test/tidy');
// End-to-end and broker tests, and the bed, poll outside things, which takes waiting.
const isUnitTest = (path: string) => /^test\/(?!e2e\/).*(?<!\.broker|\.slow)\.test\.ts$/.test(path);
// A lock file is written by its tool; the licence is not ours to word.
const isOurText = (path: string) => !/(^|\/)package-lock\.json$|(^|\/)go\.sum$|^LICENSE$/.test(path);

interface Ban {
  pattern: RegExp;
  applies: (path: string) => boolean;
  instead: string;
}

// In halves, so that not even this file names one.
const registryHosts = [
  ['npm', 'js\\.(org|com)'],
  ['yarn', 'pkg\\.com'],
  ['proxy\\.go', 'lang'],
  ['repo1?\\.ma', 'ven'],
  ['py', 'pi\\.org'],
  ['python', 'hosted\\.org'],
].map((halves) => halves.join(''));

const bans: Ban[] = [
  { pattern: /\b(FIXME|TODO|XXX)\b/, applies: isOurText, instead: 'finish it, or state the limit in the docs' },
  {
    pattern: /\bparseFloat\b/,
    applies: isTypeScript,
    instead: 'keep the decimal text (worker/decimal.ts); no price, quantity or id is a float',
  },
  {
    // Before what may follow a type, so that a sentence with the word passes.
    pattern: /(?::|\bas) any(?=\s*(?:[,;)=\]|>{&]|$))|<any>|\bany\[\]/,
    applies: isTypeScript,
    instead: 'unknown, narrowed where it is read',
  },
  {
    pattern: /@ts-(ignore|nocheck|expect-error)|biome-ignore/,
    applies: isTypeScript,
    instead: 'code that the tool accepts; if the rule is wrong for us, change it in its configuration',
  },
  { pattern: /\.only\(/, applies: isTypeScript, instead: 'all tests; to run one: vitest run -t <words of its title>' },
  {
    pattern: /\bawait (setTimeout|sleep|delay)\(|=>\s*setTimeout\(\w+,/,
    applies: isUnitTest,
    instead: 'await the event itself, or a clock that the test passes in; a sleep is slow and flaky',
  },
  {
    pattern: /\bconsole\.\w+\(/,
    applies: (path) => isProgram(path) && !path.endsWith('/main.ts'),
    instead: 'the logger that is passed in (runtime/log.ts)',
  },
  { pattern: /\bEventEmitter\b/, applies: isProgram, instead: 'a callback that is passed in, or a value to await' },
  {
    pattern: /\bprocess\.env\b/,
    applies: (path) => isProgram(path) && !path.endsWith('/main.ts'),
    instead: 'a parameter: only main.ts reads the environment',
  },
  {
    pattern: new RegExp(registryHosts.join('|')),
    applies: () => true,
    instead: "no host: each package manager uses the machine's own configuration",
  },
  { pattern: /"resolved":/, applies: (path) => path === 'package-lock.json', instead: 'no download address (.npmrc)' },
  {
    pattern: /(?<![\w.@:/-])\/(work|home\/\w+|tmp\/proto)\/|\.\.\/shared\/(?!recordings)/,
    applies: isOurText,
    instead: "a path from the checkout, or one from the environment; this one is one machine's",
  },
  {
    pattern: /\bissue #?\d+\b/i,
    applies: isOurText,
    instead: 'the fact itself; a public project is cited as owner/name#number',
  },
];

/** Banned words, each with the place it is banned in. */
export const bannedWords: Rule = ({ path, text }) => {
  if (isTidy(path)) return [];
  const here = bans.filter((ban) => ban.applies(path));
  return text.split('\n').flatMap((line, index) =>
    here.flatMap(({ pattern, instead }) => {
      const match = pattern.exec(line);
      return match ? [`${path}:${index + 1}: '${match[0].trim()}': write instead ${instead}`] : [];
    }),
  );
};

/** A link cannot be broken: it does not count. */
export const lineLength: Rule = ({ path, text }) =>
  isTypeScript(path)
    ? text.split('\n').flatMap((line, index) => {
        const excess = `${path}:${index + 1}: ${line.length} characters: break the line, ${lineLengthMax} fit`;
        return line.replace(/https?:\/\/\S+/, '').length > lineLengthMax ? [excess] : [];
      })
    : [];

export const fileLength: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n').length;
  if (!isTypeScript(path) || lines <= fileLinesMax) return [];
  return [`${path}:${lines}: ${lines} lines: split the file by what it holds, at most ${fileLinesMax}`];
};

export const fileName: Rule = ({ path }) => {
  const name = path.split('/').at(-1) ?? '';
  if (!isTypeScript(path)) return [];
  if (/^(utils?|helpers?|misc|common|shared)\./.test(name)) return [`${path}:1: name it for what it holds`];
  const isKebabCase = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(name);
  return isKebabCase ? [] : [`${path}:1: write the name in kebab-case`];
};

// Formatted code closes a block at the indentation of the line that opened it, so lines are enough to find functions.
const keyword = /^\s*(?:\} )?(?:if|for|while|switch|do|else|try|catch|finally|return|await|new)\b/;
const method = /^\s+(?:(?:static|async|get|set|override|private|readonly) )*\*?[#\w]+(?:<.*>)?\(.*\).* \{$/;
const testGroup = /\bdescribe\b/;

interface Lines {
  first: number;
  last: number;
  /** It has a name of its own: a declaration or a method, not a callback. */
  isNamed: boolean;
}

/** Every function of a file, by line index; a `describe` is none, but a list of tests. */
function functionsOf(text: string): Lines[] {
  const lines = text.split('\n');
  const indentAt = (index: number) => (lines[index] ?? '').search(/\S/);
  /** The next line at the same indentation that passes; -1 when there is none. */
  const next = (from: number, passes: (line: string) => boolean) =>
    lines.findIndex((line, index) => index > from && indentAt(index) === indentAt(from) && passes(line));

  /** Where the function's body opens that a line begins; -1: it begins none. */
  const bodyOf = (line: string, index: number): number => {
    if (/\bfunction\b.*\{$|=> \{$/.test(line)) return index;
    if (keyword.test(line)) return -1;
    if (method.test(line)) return index;
    if (!line.endsWith('(')) return -1;
    const close = next(index, () => true);
    return /^\s*\)(:.*| =>)? \{$/.test(lines[close] ?? '') ? close : -1;
  };

  return lines.flatMap((line, first) => {
    const body = testGroup.test(line) ? -1 : bodyOf(line, first);
    if (body < 0) return [];
    const last = next(body, (candidate) => /^\s*\}/.test(candidate));
    return [{ first, last, isNamed: !line.includes('=>') }];
  });
}

/** Functions that are too long. Those declared inside one count for themselves, as the methods of a class do. */
export const functionLength: Rule = ({ path, text }) => {
  if (!isTypeScript(path)) return [];
  const functions = functionsOf(text);
  return functions.flatMap(({ first, last }) => {
    const inside = functions.filter((one) => one.isNamed && one.first > first && one.last < last);
    const outermost = inside.filter((one) => !inside.some((by) => by.first < one.first && by.last > one.last));
    const length = outermost.reduce((sum, one) => sum - (one.last - one.first + 1), last - first + 1);
    const excess = `a function of ${length} lines: split it into steps, at most ${functionLinesMax}`;
    return length > functionLinesMax ? [`${path}:${first + 1}: ${excess}`] : [];
  });
};

/** Lines that are comments, and lines that are not empty. */
export function commentLines({ text }: SourceFile): { comments: number; lines: number } {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return { comments: lines.filter((line) => /^\s*(\/\/|\/\*|\*)/.test(line)).length, lines: lines.length };
}

export const fileRules: Rule[] = [bannedWords, lineLength, fileLength, fileName, functionLength];
