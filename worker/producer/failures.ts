// Failures in words: of the network as @platformatic/kafka tells them, and of the broker by its error codes.
import { protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka';
import { isTlsFailure, plainWords } from '../../runtime/tls-failures.ts';

/** The innermost messages say what happened, the outer ones how often. At most three: each attempt adds one. */
export function describeError(error: Error): string {
  const inner = innerOf(error);
  if (inner.length === 0) return wordsOf(error);
  return [...new Set(inner.map(describeError))].slice(-3).join('; ');
}

function innerOf(error: Error): Error[] {
  if (error instanceof AggregateError) return error.errors as Error[];
  return error.cause instanceof Error ? [error.cause] : [];
}

/** An answer has a code, and may have the broker's own words beside it. */
function wordsOf(error: Error & { serverErrorMessage?: unknown; apiId?: unknown }): string {
  const { message, serverErrorMessage, apiId } = error;
  if (typeof apiId !== 'string') return plainWords(message);
  const said = typeof serverErrorMessage === 'string' && serverErrorMessage !== '' ? serverErrorMessage : message;
  return `${apiId}: ${said.replace(/\.$/, '')}`;
}

/** @param code https://kafka.apache.org/protocol#protocol_error_codes */
export function describeCode(code: number): string {
  const id = protocolErrorsCodesById[code] ?? `error code ${code}`;
  const message = protocolErrors[id]?.message;
  return message === undefined ? id : `${id}: ${message}`;
}

const tlsWords = /TLS/;
const tlsRemedy = 'check K2_KAFKA_TLS, K2_KAFKA_TLS_CA_PATH and K2_KAFKA_TLS_CERTIFICATE_PATH';

/**
 * Why a broker could not be asked about a topic, and what a person can do about it where that is known; one sentence.
 * @param topic null: about none
 */
export function describeSilence(servers: string, topic: string | null, error: Error): string {
  const all = withInner(error) as (Error & { code?: unknown; apiId?: unknown })[];
  const said = describeError(error);
  const refusal = (remedy: string) => `broker ${servers} cannot be used: ${said}; ${remedy}`;
  if (all.some(({ apiId }) => apiId === 'TOPIC_AUTHORIZATION_FAILED')) {
    return refusal(
      `allow the worker's user Describe, Read and Write on ${topic === null ? 'its topics' : `topic ${topic}`}`,
    );
  }
  // Asked for a password, a broker that wants TLS first ends the connection without a word.
  const isCut = all.some(({ message }) => message === 'Connection closed');
  if (all.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION')) {
    return refusal(isCut ? tlsRemedy : 'correct what K2_KAFKA_AUTH_PATH has, or the user at the broker');
  }
  if (all.some((one) => isTlsFailure(one) || (one.code === 'PLT_KFK_USER' && tlsWords.test(one.message)))) {
    return refusal(tlsRemedy);
  }
  return `broker ${servers} does not answer: ${said}`;
}

const withInner = (error: Error): Error[] => [error, ...innerOf(error).flatMap(withInner)];
