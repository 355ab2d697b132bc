// The few requests that the controller makes to a schema registry with the Confluent API.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html
import { Agent, type Dispatcher, request } from 'undici';
import { isTlsFailure, plainWords } from '../../runtime/tls-failures.ts';
import type { RegistryPlace } from '../access.ts';
import { type Reason, TargetError, wordsOf } from '../errors.ts';

export interface Registry {
  /** The id of exactly this schema in this subject; null: not registered there. */
  find(subject: string, schema: string): Promise<number | null>;
  exists(subject: string): Promise<boolean>;
  /** Makes a new subject BACKWARD compatible, too: a consumer with the new schema reads all old records. */
  register(subject: string, schema: string): Promise<void>;
  /** For good; a schema that other subjects have, too, keeps its id. */
  remove(subject: string): Promise<void>;
}

const requestMsMax = 5_000;
// A subject with a schema, or a proxy's page of an error.
const answerBytesMax = 4 * 1024 * 1024;
const compatibility = 'BACKWARD';

interface Answer {
  status: number;
  text: string;
}

/** All of it throws TargetError, in the registry's words. */
export function createRegistry({ url, access: { ca, login } }: RegistryPlace): Registry {
  // Requests are minutes apart, and a POST on a connection that the registry has just closed is not tried again.
  const dispatcher = new Agent({
    pipelining: 0,
    connect: { timeout: requestMsMax, ...(ca !== null && { ca }) },
    maxResponseSize: answerBytesMax,
  });
  const authorization = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;

  async function ask(subject: string, method: Dispatcher.HttpMethod, path: string, body?: object): Promise<Answer> {
    try {
      const { statusCode, body: answer } = await request(`${url.replace(/\/$/, '')}${path}`, {
        dispatcher,
        method,
        signal: AbortSignal.timeout(requestMsMax),
        headers: {
          accept: mediaType,
          ...(body && { 'content-type': mediaType }),
          ...(authorization && { authorization }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.text();
      if (statusCode < 300 || statusCode === 404) return { status: statusCode, text };
      throw refusal(url, subject, { status: statusCode, text });
    } catch (error) {
      if (error instanceof TargetError) throw error;
      const reason: Reason = isTlsFailure(error) ? 'RegistryAuthFailed' : 'RegistryUnreachable';
      throw new TargetError(reason, `${url}: ${plainWords(wordsOf(error))}`, { cause: error });
    }
  }

  async function set(subject: string, method: Dispatcher.HttpMethod, path: string, body: object): Promise<void> {
    const answer = await ask(subject, method, path, body);
    if (answer.status === 404) throw refusal(url, subject, answer);
  }

  const at = (subject: string) => `/subjects/${encodeURIComponent(subject)}`;
  const configOf = (subject: string) => `/config/${encodeURIComponent(subject)}`;

  return {
    async find(subject, schema) {
      const { status, text } = await ask(subject, 'POST', at(subject), { schema });
      if (status === 404) return null;
      const { id } = parsed(text);
      if (typeof id === 'number') return id;
      throw new TargetError('RegistryUnreachable', `${url}: not a schema registry's answer: ${wordsOfAnswer(text)}`);
    },
    exists: async (subject) => (await ask(subject, 'GET', `${at(subject)}/versions`)).status !== 404,
    async register(subject, schema) {
      const config = await ask(subject, 'GET', configOf(subject));
      const { compatibilityLevel: present } = parsed(config.text);
      if (config.status !== 404 && String(present).toUpperCase() !== compatibility) {
        const seen = `${subject}: its compatibility is ${present}, and records need ${compatibility}`;
        throw new TargetError('SchemaIncompatible', seen);
      }
      await set(subject, 'POST', `${at(subject)}/versions`, { schema });
      if (config.status === 404) await set(subject, 'PUT', configOf(subject), { compatibility });
    },
    async remove(subject) {
      // The second is refused without the first, and without the second some registries go on answering for it.
      await ask(subject, 'DELETE', at(subject));
      await ask(subject, 'DELETE', `${at(subject)}?permanent=true`);
    },
  };
}

const mediaType = 'application/vnd.schemaregistry.v1+json';

const reasonsOfStatus: Record<number, Reason> = {
  401: 'RegistryAuthFailed',
  403: 'RegistryAuthFailed',
  409: 'SchemaIncompatible',
  422: 'SchemaRefused',
};

function refusal(url: string, subject: string, { status, text }: Answer): TargetError {
  const reason = reasonsOfStatus[status] ?? 'RegistryUnreachable';
  const isOfSubject = reason === 'SchemaIncompatible' || reason === 'SchemaRefused';
  return new TargetError(reason, `${isOfSubject ? subject : url}: ${wordsOfAnswer(text) || `status ${status}`}`);
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Its message, or what a proxy on the way has to say. */
function wordsOfAnswer(text: string): string {
  const { message } = parsed(text);
  return typeof message === 'string' ? message : text.trim();
}
