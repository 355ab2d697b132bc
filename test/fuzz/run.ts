// `make fuzz`: as many damaged frames through the six parsers as it is told, and a table of what came of them.
import { parseArgs } from 'node:util';
import { readCorpus } from './corpus.ts';
import { Fuzz } from './fuzz.ts';

const usage = 'node test/fuzz/run.ts [--frames 10000000] [--seed 1] [--from 0]';

/** Between two lines of progress. */
const progressMs = 10_000;
/** Between two looks at the clock. */
const framesPerLook = 1000;

function whole(name: string, text: string, least: number): number {
  if (/^\d{1,15}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name}: '${text}' is not a whole number from ${least} on; ${usage}`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      frames: { type: 'string', default: '10000000' },
      seed: { type: 'string', default: '1' },
      from: { type: 'string', default: '0' },
    },
  });
  return {
    frames: whole('frames', values.frames, 1),
    seed: whole('seed', values.seed, 0),
    from: whole('from', values.from, 0),
  };
}

function run({ frames, seed, from }: ReturnType<typeof readOptions>): number {
  const corpus = readCorpus();
  const sources = [...corpus.frames].map(([id, { all }]) => `${id} ${all.length}`).join(', ');
  console.log(`seed ${seed}, frames ${from} to ${frames - 1}, made from ${sources} (${corpus.fingerprint})`);
  const fuzz = new Fuzz(seed, corpus);
  const { byExchange, findings } = fuzz.fuzzed;
  const startMs = performance.now();
  let shownMs = startMs;
  for (let number = from; number < frames; number++) {
    fuzz.read(number);
    if (number % framesPerLook > 0 || performance.now() - shownMs < progressMs) continue;
    shownMs = performance.now();
    const perSecond = Math.round((number - from) / ((shownMs - startMs) / 1000));
    console.error(`${number} of ${frames}, ${perSecond}/s, ${findings.length} findings; goes on with --from ${number}`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  console.table(
    Object.fromEntries(Object.entries(byExchange).map(([id, { kinds, ...counts }]) => [id, { ...counts, ...kinds }])),
  );
  for (const { exchange, number, what, frame } of findings) {
    console.log(`${exchange}, frame ${number}: ${what}\n  ${JSON.stringify(frame.toString('latin1').slice(0, 1000))}`);
  }
  const throws = Object.values(byExchange).reduce((sum, one) => sum + one.throws, 0);
  const perSecond = Math.round((frames - from) / seconds);
  console.log(`${frames - from} frames in ${Math.round(seconds)} s, ${perSecond}/s: ${throws} throws`);
  if (findings.length > 0) console.log(`${findings.length} findings: to see one again, --from its number`);
  return findings.length > 0 ? 1 : 0;
}

try {
  process.exitCode = run(readOptions());
} catch (error) {
  console.error(`fuzz: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
