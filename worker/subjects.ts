// Registers a schema with the registry and learns its id. The same text again gives the same id, so this is
// safe at every start and beside the controller, which does it, too.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html#post--subjects-(string-%20subject)-versions
import type { RegistryAccess } from '../api/secrets.ts';
import { requestText, type TextAnswer } from '../runtime/request.ts';
import { TerminalError } from './errors.ts';
import { messageOf } from './retry.ts';

/** A registry in the same cluster answers in milliseconds; a slow one is asked again. */
const requestMsMax = 10_000;

/** https://docs.confluent.io/platform/current/schema-registry/develop/api.html: 409 incompatible, 422 invalid schema. */
const terminalStatuses = [409, 422];

/** What a person can do, by status. */
const remedies = new Map([
  [401, 'correct the username and password of K2_KAFKA_SCHEMA_REGISTRY_AUTH_PATH'],
  [403, 'allow the user to register schemas under this subject'],
]);

export interface Registry {
  url: string;
  access: () => RegistryAccess;
}

/**
 * @returns the registry's id of the schema
 * @throws TerminalError when the registry refuses the schema; Error when it cannot be asked
 */
export async function registerSchema(registry: Registry, subject: string, schema: string): Promise<number> {
  const { url: registryUrl, access } = registry;
  const url = `${registryUrl.replace(/\/+$/, '')}/subjects/${encodeURIComponent(subject)}/versions`;
  let answer: TextAnswer;
  try {
    answer = await requestText(url, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
      body: JSON.stringify({ schema }),
      timeoutMs: requestMsMax,
      ...access(),
    });
  } catch (error) {
    throw new Error(`schema registry ${registryUrl} does not answer: ${messageOf(error)}`, { cause: error });
  }
  const { status, body } = answer;
  if (terminalStatuses.includes(status)) {
    const said = `(status ${status}): ${body.slice(0, 500)}`;
    throw new TerminalError(`schema registry ${registryUrl} refuses the schema of ${subject} ${said}`);
  }
  const id = status === 200 ? idIn(body) : null;
  if (id === null) {
    const remedy = remedies.get(status);
    const said = `schema registry ${registryUrl} answers ${subject} with ${status}: ${body.slice(0, 200)}`;
    throw new Error(remedy === undefined ? said : `${said}; ${remedy}`);
  }
  return id;
}

function idIn(body: string): number | null {
  try {
    const { id } = JSON.parse(body) as { id?: unknown };
    return typeof id === 'number' && Number.isInteger(id) ? id : null;
  } catch {
    return null;
  }
}
