// The normalize program: a recording on standard input, its trades as lines of JSON on standard output, and on standard
// error what was seen on the way. For debugging and audits; it needs no exchange, broker or registry.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Audit } from './audit.ts';
import { linesOfSummary } from './audit-summary.ts';
import type { Exchange, Listing } from './exchanges/exchange.ts';
import { exchanges } from './exchanges/index.ts';
import { readRecording } from './recording.ts';
import { messageOf } from './retry.ts';

const exitCodes = { done: 0, failed: 1, badUsage: 2 } as const;

const known = Object.keys(exchanges);
const example = `npm run -s normalize -- --exchange ${known[0]} --metadata FILE < frames.jsonl`;

interface Usage {
  exchangeId: string;
  exchange: Exchange;
  schema: string;
  /** Null: no metadata was given. */
  listings: Listing[] | null;
}

const options = {
  exchange: { type: 'string' },
  metadata: { type: 'string' },
  /** Folder of the Avro schemas. */
  schemas: { type: 'string', default: 'schemas' },
} as const;

/** @throws Error with one sentence: the option, what is wrong with it, and a right example */
function parseUsage(args: string[]): Usage {
  const refuse = (why: string) => new Error(`${why}; for example: ${example}`);
  let values: { exchange?: string; metadata?: string; schemas: string };
  try {
    values = parseArgs({ args, options }).values;
  } catch (error) {
    throw refuse(messageOf(error).split('. ')[0] ?? '');
  }
  if (values.exchange === undefined) throw refuse(`--exchange is missing: one of ${known.join(', ')}`);
  const exchange = exchanges[values.exchange];
  if (exchange === undefined) throw refuse(`--exchange '${values.exchange}' is not one of ${known.join(', ')}`);
  if (process.stdin.isTTY) throw refuse('standard input is a terminal: give it a recording');
  const read = (option: string, path: string) => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw refuse(`${option} '${path}' cannot be read (${messageOf(error)})`);
    }
  };
  const { metadata } = values;
  return {
    exchangeId: values.exchange,
    exchange,
    schema: read('--schemas', join(values.schemas, 'normalized-trade.avsc')).toString(),
    listings: metadata === undefined ? null : listingsIn(exchange, metadata, read, refuse),
  };
}

function listingsIn(
  { listing }: Exchange,
  path: string,
  read: (option: string, path: string) => Buffer,
  refuse: (why: string) => Error,
): Listing[] {
  const file = read('--metadata', path);
  const answer = listing.parse(200, (file[0] === 0x1f ? gunzipSync(file) : file).toString());
  if (answer.kind === 'listed') return answer.listings;
  const why = answer.kind === 'failed' ? answer.why : 'it lists no symbols';
  throw refuse(`--metadata '${path}' is no answer to ${listing.requestUrl('<rest>', ['<symbol>'])}: ${why}`);
}

async function run(usage: Usage): Promise<void> {
  const audit = new Audit(usage);
  try {
    for await (const frame of readRecording(process.stdin)) {
      const lines = audit.read(frame);
      if (lines.length === 0) continue;
      if (!process.stdout.write(`${lines.join('\n')}\n`)) await once(process.stdout, 'drain');
    }
  } finally {
    const lines = linesOfSummary(audit.summary(), usage.exchange.continuity, usage.listings !== null);
    process.stderr.write(`${lines.join('\n')}\n`);
  }
}

// Whoever reads the output may have seen enough, as `head` has.
process.stdout.on('error', () => process.exit(exitCodes.done));
let usage: Usage;
try {
  usage = parseUsage(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`normalize: ${messageOf(error)}\n`);
  process.exit(exitCodes.badUsage);
}
try {
  await run(usage);
} catch (error) {
  process.stderr.write(`normalize: ${messageOf(error)}\n`);
  process.exitCode = exitCodes.failed;
}
