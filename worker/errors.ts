// The two classes of error that decide what a retry does; every other error is simply retried.

/** Repeating cannot help: a person has to change something first. */
export class TerminalError extends Error {}

/** The other side said when to come back. */
export class RetryLaterError extends Error {
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}
