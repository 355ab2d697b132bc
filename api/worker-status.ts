// What a worker says of itself at GET /status: the controller reads it, a person may. Everything finer is a metric.
import { z } from 'zod';

export const symbolStates = ['pending', 'subscribed', 'refused'] as const;

export const workerStatusSchema = z.object({
  exchange: z.string(),
  /** False while disconnected, or while no symbol's subscription is acknowledged. */
  streaming: z.boolean(),
  /** Why not, in one sentence; empty while streaming. */
  message: z.string(),
  symbols: z.array(
    z.object({
      symbol: z.string(),
      state: z.enum(symbolStates),
      /** Why it is refused, in the exchange's words where it gave any. */
      message: z.string(),
      /** Exchange time of the newest trade written, milliseconds since 1970; null before the first. */
      lastTradeTimeMs: z.number().int().nullable(),
    }),
  ),
  /** Trades acknowledged by the broker since start. */
  tradesTotal: z.number().int(),
  /** Over the last 10 s, or since start where that is shorter. */
  tradesPerSecond: z.number(),
});

export type WorkerStatus = z.infer<typeof workerStatusSchema>;
