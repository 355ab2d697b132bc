// One HTTP request whose answer is a short text, to a server that may have an authority of its own and ask for a
// password: fetch() can be told of an authority only for the whole process.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { plainWords } from './tls-failures.ts';

export interface TextRequest {
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  /** PEM of whom to trust; null: the system's authorities. */
  ca: string | null;
  /** For basic authentication. */
  login: { username: string; password: string } | null;
  /** From connecting to the last byte. */
  timeoutMs: number;
}

export interface TextAnswer {
  status: number;
  body: string;
}

// Schemas and errors are some kilobytes.
const bodyBytesMax = 4 * 1024 * 1024;

/** @throws Error a few words: why there was no complete answer */
export async function requestText(url: string, options: TextRequest): Promise<TextAnswer> {
  const { method = 'GET', headers = {}, body, ca, login, timeoutMs } = options;
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const deadline = AbortSignal.timeout(timeoutMs);
  const authorization = login === null ? {} : { authorization: basic(login) };
  const { promise, resolve, reject } = Promise.withResolvers<TextAnswer>();
  const outgoing = send(url, {
    method,
    headers: { ...headers, ...authorization },
    signal: deadline,
    // Requests are far apart: a connection that is kept may be closed just then.
    agent: false,
    ...(ca !== null && { ca }),
  });
  outgoing.once('error', reject);
  outgoing.once('response', async (response) => {
    try {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) throw new Error(`the answer is longer than ${bodyBytesMax} bytes`);
        chunks.push(chunk);
      }
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
    } catch (error) {
      reject(error);
    }
  });
  outgoing.end(body);
  try {
    return await promise;
  } catch (error) {
    if (deadline.aborted) throw new Error(`no answer in ${timeoutMs} ms`, { cause: error });
    // A name with several addresses fails as an AggregateError without a message.
    const { message, code } = error as NodeJS.ErrnoException;
    throw new Error(plainWords(message) || code, { cause: error });
  }
}

const basic = ({ username, password }: { username: string; password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
