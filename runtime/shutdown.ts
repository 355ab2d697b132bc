// Turns SIGTERM and SIGINT into one AbortSignal, so that every loop ends the same way and main() decides the order.
// Works from the moment it is loaded, so programs load it first: in a container they are process 1, for which the
// kernel ignores a signal without a handler, and a pod deleted while it starts would linger for its whole grace period.

const exitCodes = { SIGTERM: 143, SIGINT: 130 } as const;
let controller: AbortController | null = null;

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (controller === null || controller.signal.aborted) process.exit(exitCodes[signal]);
    controller.abort(new Error(signal));
  });
}

/**
 * Aborted at the first SIGTERM or SIGINT; a second one ends the process at once, with the signal's usual exit code, and
 * so does one before the first call: there is nothing yet to be ended in order.
 */
export function shutdownSignal(): AbortSignal {
  controller ??= new AbortController();
  return controller.signal;
}
