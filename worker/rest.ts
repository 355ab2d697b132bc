// One GET to an exchange's REST interface: bounded in time and size, and it knows when it was told to come back later.
import { RetryLaterError } from './errors.ts';

const requestMsMax = 10_000;

/** 1,000 trades take some 200 kB; an exchange that ignores a filter of symbols lists all with some 10 MB. */
const answerBytesMax = 32 * 1024 * 1024;

/** Too many requests, or a ban for it; exchanges that do not say how long forgive within minutes. */
const limitedStatuses = [403, 418, 429];
const limitedMs = 60_000;

/** A header beyond it is obeyed up to here: exchanges ban for three days at most. */
const retryAfterMsMax = 3 * 86_400_000;

export interface Answer {
  status: number;
  body: string;
}

/**
 * @throws RetryLaterError when the exchange says that it is asked too often; Error when it cannot be asked
 */
export async function get(url: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(requestMsMax)]) });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error(`answer is longer than ${answerBytesMax} bytes`);
  }
  const { status } = response;
  const body = Buffer.concat(chunks).toString();
  const seconds = Number(response.headers.get('retry-after'));
  const isLimited = limitedStatuses.includes(status);
  if (status >= 400 && (seconds > 0 || isLimited)) {
    const retryAfterMs = seconds > 0 ? Math.min(seconds * 1000, retryAfterMsMax) : limitedMs;
    throw new RetryLaterError(`status ${status}: ${body.slice(0, 200)}`, retryAfterMs);
  }
  return { status, body };
}
