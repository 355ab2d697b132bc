import { describe, expect, test } from 'vitest';
import { RetryLaterError, TerminalError } from '../../worker/errors.ts';
import { messageOf, retry, retryDelayMs, sleep } from '../../worker/retry.ts';

const limits = { delayMsBase: 1, delayMsMax: 2 };
const never = new AbortController().signal;

describe('retry', () => {
  test('repeats until it succeeds, and tells each failure', async () => {
    const failures: string[] = [];
    let calls = 0;
    const operation = async () => {
      if (++calls < 3) throw new Error(`failure ${calls}`);
      return 'done';
    };
    const options = { limits, random: () => 0, onFailure: (why: string) => failures.push(why) };
    expect(await retry(operation, options, never)).toBe('done');
    expect(failures).toEqual(['failure 1', 'failure 2']);
  });

  test('does not repeat what is terminal', async () => {
    const failures: string[] = [];
    const options = { limits, random: () => 0, onFailure: (why: string) => failures.push(why) };
    const operation = () => Promise.reject(new TerminalError('incompatible'));
    await expect(retry(operation, options, never)).rejects.toThrow('incompatible');
    expect(failures).toEqual([]);
  });

  test('ends a long wait at once when aborted', async () => {
    const stop = new AbortController();
    const options = {
      limits: { delayMsBase: 3_600_000, delayMsMax: 3_600_000 },
      random: () => 0,
      onFailure: () => stop.abort(new Error('SIGTERM')),
    };
    await expect(retry(() => Promise.reject(new Error('away')), options, stop.signal)).rejects.toThrow('SIGTERM');
  });
});

test('the wait that the other side asks for is kept when it is longer than ours', () => {
  const options = { limits, random: () => 0 };
  expect(retryDelayMs(new RetryLaterError('slow down', 7000), 1, options)).toBe(7000);
  expect(retryDelayMs(new RetryLaterError('slow down', 0), 2, options)).toBe(1);
  expect(retryDelayMs(new Error('away'), 2, options)).toBe(1);
});

test('sleeping with an aborted signal resolves at once', async () => {
  const sleeping = sleep(3_600_000, AbortSignal.abort());
  await expect(sleeping).resolves.toBeUndefined();
});

test('a failed fetch is told by its cause', () => {
  const cause = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
  expect(messageOf(new TypeError('fetch failed', { cause }))).toBe('ECONNREFUSED');
  expect(messageOf(new Error('plain', { cause }))).toBe('plain');
  expect(messageOf('text')).toBe('text');
});
