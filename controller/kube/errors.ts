// What can go wrong between us and the API server: it answered with an error, or there was no complete answer.

/** The part of `metav1.Status` that is read here. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
export interface Status {
  code?: number;
  reason?: string;
  message?: string;
  details?: { retryAfterSeconds?: number };
}

/** The API server answered, and the answer is an error. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status, or the `code` of an ERROR event of a watch. */
  readonly status: number;
  /** Machine-readable, such as `NotFound`, `Conflict`, `Expired`; empty when the server gave none. */
  readonly reason: string;
  /** How long the server asks us to stay away, milliseconds; null: it did not say. */
  readonly retryAfterMs: number | null;

  constructor(status: number, reason: string, message: string, retryAfterMs: number | null = null) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * No complete answer: refused, reset, timed out, or unreadable. A write may or may not have happened.
 * The cause is kept.
 */
export class TransportError extends Error {
  override readonly name = 'TransportError';
}

export function isNotFound(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 404;
}

/** The object changed since it was read, or another field manager owns a field; not: it exists already. */
export function isConflict(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 409 && error.reason !== 'AlreadyExists';
}

/** The resourceVersion or the continue token is older than what the server remembers: list again. */
export function isGone(error: unknown): error is KubeError {
  return error instanceof KubeError && error.status === 410;
}

// Enough for a sentence or two of a proxy's error page.
const messageCharactersMax = 300;

/**
 * The error that an answer describes; its body need not be a Status, as a proxy on the way may have written it.
 * @param request what was asked, such as `GET /api/v1/pods`, for the message
 * @param retryAfterHeader empty: there is none
 */
export function errorOfAnswer(request: string, code: number, retryAfterHeader: string, body: string): KubeError {
  const status = parseStatus(body) ?? { message: body.trim().slice(0, messageCharactersMax) };
  // The API server sends whole seconds; a date, which HTTP also allows, counts as "did not say".
  const details = /^\d+$/.test(retryAfterHeader) ? { retryAfterSeconds: Number(retryAfterHeader) } : status.details;
  return errorOfStatus(request, { ...status, code, ...(details && { details }) });
}

function parseStatus(body: string): Status | null {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' ? parsed : null;
  } catch {
    return null;
  }
}

export function errorOfStatus(request: string, { code = 500, reason = '', message = '', details }: Status): KubeError {
  const retryAfterSeconds = details?.retryAfterSeconds;
  const retryAfterMs = retryAfterSeconds === undefined ? null : retryAfterSeconds * 1000;
  return new KubeError(code, reason, `${request}: ${code} ${message || reason}`, retryAfterMs);
}
