// What `helm test` runs in the cluster: is the controller ready, does the API server take a feed, and does it refuse a
// wrong one? Nothing is kept: both feeds are dry runs.
import { readFile } from 'node:fs/promises';

const answerMsMax = 10_000;

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

async function check(what: string, expected: number, url: string, init: RequestInit = {}): Promise<void> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(answerMsMax) });
  const isRight = answer.status === expected;
  console.log(`${isRight ? 'ok    ' : 'FAILED'} ${what}: ${url} answers ${answer.status}`);
  if (isRight) return;
  console.log(`       expected ${expected}; it says: ${(await answer.text()).trim()}`);
  process.exitCode = 1;
}

interface Feed {
  apiVersion: string;
  metadata: { name: string; namespace: string };
  spec: { symbols: string[] };
}

const feed = JSON.parse(required('FEED')) as Feed;
const wrong: Feed = { ...feed, spec: { ...feed.spec, symbols: [] } };
const token = await readFile(required('TOKEN_FILE'), 'utf8');
const path = `/apis/${feed.apiVersion}/namespaces/${feed.metadata.namespace}/exchangefeeds`;
const url = `${required('API_URL')}${path}?dryRun=All&fieldValidation=Strict`;
const create = (body: Feed): RequestInit => ({
  method: 'POST',
  headers: { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' },
  // A feed of that name may be there.
  body: JSON.stringify({ ...body, metadata: { namespace: body.metadata.namespace, generateName: 'helm-test-' } }),
});

await check('the controller is ready', 200, required('READY_URL'));
await check('the API server takes a feed', 201, url, create(feed));
await check('the API server refuses a feed without symbols', 422, url, create(wrong));
