// Registers a schema with the registry and learns its id. The same text again gives the same id, so this is
// safe at every start and beside the controller, which does it, too.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html#post--subjects-(string-%20subject)-versions
import { TerminalError } from './errors.ts';
import { messageOf } from './retry.ts';

/** A registry in the same cluster answers in milliseconds; a slow one is asked again. */
const requestMsMax = 10_000;

/** https://docs.confluent.io/platform/current/schema-registry/develop/api.html: 409 incompatible, 422 invalid schema. */
const terminalStatuses = [409, 422];

/**
 * @returns the registry's id of the schema
 * @throws TerminalError when the registry refuses the schema; Error when it cannot be asked
 */
export async function registerSchema(registryUrl: string, subject: string, schema: string): Promise<number> {
  const url = `${registryUrl.replace(/\/+$/, '')}/subjects/${encodeURIComponent(subject)}/versions`;
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema }),
    signal: AbortSignal.timeout(requestMsMax),
  };
  let response: Response;
  let body: string;
  try {
    response = await fetch(url, request);
    body = await response.text();
  } catch (error) {
    throw new Error(`schema registry ${registryUrl} does not answer: ${messageOf(error)}`, { cause: error });
  }
  if (terminalStatuses.includes(response.status)) {
    const answer = `(status ${response.status}): ${body.slice(0, 500)}`;
    throw new TerminalError(`schema registry ${registryUrl} refuses the schema of ${subject} ${answer}`);
  }
  const id = response.ok ? idIn(body) : null;
  if (id === null) {
    throw new Error(`schema registry ${registryUrl} answers ${subject} with ${response.status}: ${body.slice(0, 200)}`);
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
