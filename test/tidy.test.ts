// Holds the house rules over every tracked file, and each rule against a bad example that it must find.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  actionPins,
  deadFiles,
  exchangeNames,
  importRules,
  makeTargets,
  pageLinks,
  projectRules,
} from './tidy/project.ts';
import {
  bannedWords,
  commentLines,
  fileLength,
  fileName,
  fileRules,
  functionLength,
  lineLength,
  type SourceFile,
} from './tidy/rules.ts';

const root = new URL('../', import.meta.url);
const isBinary = (text: string) => text.includes('\0');

const files: SourceFile[] = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((path) => path !== '' && existsSync(new URL(path, root)))
  .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') }))
  .filter(({ text }) => !isBinary(text));

describe('the project', () => {
  test.each(fileRules.map((rule) => [rule.name, rule] as const))('breaks no rule of %s', (_, rule) => {
    expect(files.flatMap(rule)).toEqual([]);
  });

  test.each(projectRules.map((rule) => [rule.name, rule] as const))('breaks no rule of %s', (_, rule) => {
    expect(rule(files)).toEqual([]);
  });

  test('has its share of comments reported', () => {
    const program = files.filter(({ path }) => path.endsWith('.ts')).map(commentLines);
    const sum = (field: 'comments' | 'lines') => program.reduce((total, counted) => total + counted[field], 0);
    const share = (100 * sum('comments')) / sum('lines');
    console.log(`comments: ${share.toFixed(1)} % of ${sum('lines')} lines of TypeScript (aim: 5 to 15 %)`);
    expect(sum('lines')).toBeGreaterThan(0);
  });
});

const at = (path: string, ...lines: string[]): SourceFile => ({ path, text: lines.join('\n') });

describe('a rule for one file', () => {
  test.each([
    ['worker/feed.ts', '// FIXME later', "worker/feed.ts:1: 'FIXME': write instead finish it"],
    ['README.md', 'TODO: more', "README.md:1: 'TODO': write instead finish it"],
    ['worker/trade.ts', 'const p = parseFloat(price);', "'parseFloat': write instead keep the decimal text"],
    ['worker/json.ts', 'const f = (x: any) => x;', "': any': write instead unknown"],
    ['worker/json.ts', 'return x as any;', "'as any': write instead unknown"],
    ['test/a.test.ts', '// @ts-expect-error', 'write instead code that the tool accepts'],
    ['test/a.test.ts', '// biome-ignore lint: no', 'write instead code that the tool accepts'],
    ['test/a.test.ts', "test.only('x', () => {});", 'to run one: vitest run -t'],
    ['test/a.test.ts', 'await setTimeout(100);', 'await the event itself'],
    ['test/a.test.ts', 'await new Promise((r) => setTimeout(r, 100));', 'await the event itself'],
    ['controller/plan.ts', "console.log('x');", 'the logger'],
    ['worker/feed.ts', 'class Feed extends EventEmitter {}', 'a callback'],
    ['worker/feed.ts', 'const port = process.env.K2_HTTP_PORT;', 'only main.ts reads the environment'],
    // Put together, so that this file does not name the host itself.
    ['docs/a.md', `npm config set registry https://registry.npm${'js'}.org`, 'no host'],
    ['package-lock.json', '"resolved": "x"', 'no download address'],
    ['scripts/a.ts', "const cache = '/home/jane/cache';", 'a path from the checkout'],
    ['docs/a.md', 'see ../shared/design', 'a path from the checkout'],
    ['docs/a.md', 'solved with issue #12', 'the fact itself'],
  ])('finds a banned word: %s: %s', (path, line, finding) => {
    expect(bannedWords(at(path, line)).join('\n')).toContain(finding);
  });

  test.each([
    ['worker/main.ts', 'parseWorkerConfig(process.env);'],
    ['test/e2e/feed.test.ts', 'await setTimeout(pollMs);'],
    ['test/a.test.ts', 'const timer = setTimeout(() => fail(), 1000);'],
    ['docs/a.md', 'https://example.com/work/page, kubernetes/kubernetes#137089, ../shared/recordings'],
    ['worker/json.ts', 'const company: anyone = many[0];'],
    ['worker/json.ts', '// 0: any free port, as any server takes it'],
  ])('lets the like of it pass: %s: %s', (path, line) => {
    expect(bannedWords(at(path, line))).toEqual([]);
  });

  test('finds a line, a file and a function that are too long, and a name that says nothing', () => {
    expect(lineLength(at('a.ts', '', 'x'.repeat(121)))).toEqual(['a.ts:2: 121 characters: break the line, 120 fit']);
    expect(lineLength(at('a.ts', 'x'.repeat(120), `// https://example.com/${'x'.repeat(120)}`))).toEqual([]);
    const lines = (count: number) => Array.from({ length: count }, () => '  x();');
    expect(fileLength(at('a.ts', ...lines(301)))).toHaveLength(1);
    expect(fileLength(at('a.ts', ...lines(300)))).toEqual([]);
    expect(fileName(at('worker/utils.ts')).concat(fileName(at('worker/messageQueue.ts')))).toHaveLength(2);
    expect(fileName(at('test/charts/render.broker.test.ts'))).toEqual([]);
  });

  test.each([
    ['export async function run(a: string): Promise<void> {', [], '}'],
    ['const run = async (a: string) => {', [], '};'],
    ['export function run(', ['  a: string,', '): void {'], '}'],
    ['  run(a: string): void {', [], '  }'],
    ['  async run(', ['    a: string,', '  ): Promise<void> {'], '  }'],
    ["test('a test', async () => {", [], '});'],
  ])('finds the end of a function that opens with: %s', (open, header, close) => {
    const body = (count: number) => Array.from({ length: count }, () => '      x();');
    const file = (count: number) => at('a.ts', '// head', open, ...header, ...body(count), close, '');
    const fit = 68 - header.length;
    expect(functionLength(file(fit))).toEqual([]);
    expect(functionLength(file(fit + 1))).toEqual(['a.ts:2: a function of 71 lines: split it into steps, at most 70']);
  });

  test('counts a function declared inside another for itself only', () => {
    const body = (count: number) => Array.from({ length: count }, () => '    x();');
    const outer = (inner: string) => at('a.ts', 'function a() {', ...body(40), inner, ...body(40), '  }', '}');
    expect(functionLength(outer('  function b() {'))).toEqual([]);
    expect(functionLength(outer('  async b(c: string): Promise<void> {'))).toEqual([]);
    expect(functionLength(outer('  c.map(() => {'))).toHaveLength(1);
  });

  test('takes neither a group of tests nor a call nor a loop for a function', () => {
    const body = Array.from({ length: 80 }, () => '    x();');
    for (const open of ["describe('many tests', () => {", 'if (a) {', 'for (const a of b) {', 'call(', 'const a = {']) {
      expect(functionLength(at('a.ts', open, ...body, '}'))).toEqual([]);
    }
  });

  test('counts comments of both forms', () => {
    expect(commentLines(at('a.ts', '// a', '/** b', ' * c */', '', 'd(); // e'))).toEqual({ comments: 3, lines: 4 });
  });
});

describe('a rule for the project', () => {
  test.each([
    ['api/a.ts', '../runtime/log.ts', 'api/ imports nothing else'],
    ['runtime/a.ts', '../api/a.ts', 'runtime/ imports nothing else'],
    ['controller/plan.ts', '../worker/feed.ts', 'controller/ imports itself'],
    ['controller/kube/queue.ts', '../../api/exchange-feed.ts', 'controller/kube/ knows nothing'],
    ['worker/feed.ts', '../controller/plan.ts', 'worker/ imports itself'],
    ['audit/auditor.ts', '../worker/exchanges/index.ts', 'audit/ shares no judgement'],
    ['worker/exchanges/binance.ts', '../feed.ts', 'an exchange is data'],
    ['worker/exchanges/binance.ts', 'ws', 'an exchange is data'],
  ])('finds an import against the layout: %s from %s', (path, name, words) => {
    const one = importRules([at(path, '// head', `import { a } from '${name}';`)]);
    expect(one.join('\n')).toContain(`${path}:2: imports '${name}': ${words}`);
    expect(importRules([at(path, 'import type {', '  a,', `} from '${name}';`)])).toHaveLength(1);
    expect(importRules([at(path, `const a = await import('${name}');`)])).toHaveLength(1);
    expect(importRules([at(path, `export * from '${name}';`, `import '${name}';`)])).toHaveLength(2);
  });

  test.each([
    ['controller/desired.ts', '../worker/exchanges/index.ts'],
    ['controller/main.ts', '@kubernetes/client-node'],
    ['audit/broker.ts', '../worker/producer/failures.ts'],
    ['worker/exchanges/binance.ts', '../decimal.ts'],
    ['worker/exchanges/index.ts', './binance.ts'],
    ['test/worker/feed.test.ts', '../../controller/plan.ts'],
    ['worker/exchanges/exchange.ts', "../json.ts';\nexport type Parsed =\n  | { kind: 'trades"],
  ])('lets an import of the layout pass: %s from %s', (path, name) => {
    expect(importRules([at(path, `import { a } from '${name}';`)])).toEqual([]);
  });

  test('finds an exchange named outside its file', () => {
    const binance = at('worker/exchanges/binance.ts', "id: 'binance'");
    expect(exchangeNames([binance, at('worker/feed.ts', '', "if (id === 'binance')")])).toHaveLength(1);
    expect(exchangeNames([binance, at('test/worker/feed.test.ts', "'binance'")])).toEqual([]);
  });

  test('finds a file that nothing uses, and one that only a test uses', () => {
    const main = at('worker/main.ts', "import { a } from './a.ts';");
    const used = [main, at('worker/a.ts', "import './b.ts';"), at('worker/b.ts'), at('scripts/c.ts')];
    const dead = (...more: SourceFile[]) => deadFiles([...used, ...more]).map((finding) => finding.split(':')[0]);
    expect(dead()).toEqual(['scripts/c.ts']);
    expect(dead(at('Makefile', '\tnode scripts/c.ts'))).toEqual([]);
    const tested = [at('worker/d.ts'), at('test/worker/d.test.ts', "import '../../worker/d.ts';")];
    expect(dead(...tested)).toEqual(['scripts/c.ts', 'worker/d.ts']);
  });

  test('finds an action that is not pinned', () => {
    const pinned = `      - uses: actions/checkout@${'0'.repeat(40)} # v6.0.2`;
    const workflow = at('.github/workflows/ci.yaml', pinned, '      - uses: actions/checkout@v6', pinned.slice(0, -9));
    expect(actionPins([workflow]).map((finding) => finding.split(': ')[0])).toEqual([
      '.github/workflows/ci.yaml:2',
      '.github/workflows/ci.yaml:3',
    ]);
  });

  test('finds a make target and a link that are not there', () => {
    const makefile = at('Makefile', 'test: ## run', 'check:');
    expect(makeTargets([makefile, at('README.md', 'Run `make tests`.', '', 'make check')])).toEqual([
      "README.md:1: 'make tests' is no target: name one of test, check",
    ]);
    expect(makeTargets([makefile, at('.github/workflows/ci.yaml', '      - run: make all')])).toHaveLength(1);
    const page = at('docs/a.md', '[b](b.md#x) [up](../README.md) [web](https://a.example) [folder](../docs/)');
    expect(pageLinks([page, at('README.md')])).toEqual([
      'docs/a.md:1: links to b.md, which is not there: name a file of the project',
    ]);
  });
});
