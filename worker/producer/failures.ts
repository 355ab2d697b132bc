// Failures in words: of the network as @platformatic/kafka tells them, and of the broker by its error codes.
import { protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka';

/** The innermost messages say what happened, the outer ones how often. At most three: each attempt adds one. */
export function describeError(error: Error): string {
  const causes = error.cause instanceof Error ? [error.cause] : [];
  const inner = error instanceof AggregateError ? (error.errors as Error[]) : causes;
  if (inner.length === 0) return error.message;
  return [...new Set(inner.map(describeError))].slice(-3).join('; ');
}

/** @param code https://kafka.apache.org/protocol#protocol_error_codes */
export function describeCode(code: number): string {
  const id = protocolErrorsCodesById[code] ?? `error code ${code}`;
  const message = protocolErrors[id]?.message;
  return message === undefined ? id : `${id}: ${message}`;
}
