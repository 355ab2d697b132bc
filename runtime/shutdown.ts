// Turns SIGTERM and SIGINT into one AbortSignal, so that every loop ends the same way and main() decides the order.

/** Aborted at the first SIGTERM or SIGINT; a second one ends the process at once, with the signal's usual exit code. */
export function shutdownSignal(): AbortSignal {
  const controller = new AbortController();
  const exitCodes = { SIGTERM: 143, SIGINT: 130 } as const;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(exitCodes[signal]);
      controller.abort(new Error(signal));
    });
  }
  return controller.signal;
}
