// What a worker says of itself at GET /status: the controller reads it, a person may. Everything finer is a metric.
import { z } from 'zod';

export const symbolStates = ['pending', 'subscribed', 'refused'] as const;

/** Open: being asked for; lost: the exchange's history does not have it. */
export const gapStates = ['open', 'lost'] as const;

const gapSchema = z.object({
  /** Ids, both included. */
  firstId: z.string(),
  lastId: z.string(),
  state: z.enum(gapStates),
  /** Why it is lost, one sentence; empty while open. */
  message: z.string(),
  /** Exchange time of the trade before it, milliseconds since 1970; absent: not known. */
  timeMs: z.number().int().optional(),
});

/** What the trade ids of one symbol prove. */
const continuitySchema = z.object({
  /** Every trade from the first that was read to the newest is written. */
  proven: z.boolean(),
  /** Why not, one sentence; empty where proven. */
  message: z.string(),
  /** False: the exchange's ids cannot prove it, ever. */
  provable: z.boolean(),
  /**
   * Since `sinceMs`: written, and of them by REST; not written because they came again. With delivery ExactlyOnce the
   * cursor topic keeps the counts, so a worker goes on with those of the one before it; else they begin at its start.
   */
  written: z.number().int(),
  backfilled: z.number().int(),
  duplicates: z.number().int(),
  /** Exchange time of the first trade that was counted, milliseconds since 1970; null: none was. */
  sinceMs: z.number().int().nullable().optional(),
  /** Trades in the gaps. Where ids need not rise by 1, some of them may not exist. */
  missing: z.number().int(),
  /** REST had trades that the stream did not bring though it was subscribed, and it has brought none since. */
  silent: z.boolean().optional(),
  /** 20 at most, the newest lost ones first; all of them count in `missing`. */
  gaps: z.array(gapSchema),
});

export type ContinuityStatus = z.infer<typeof continuitySchema>;

/** Owner: the one worker that writes a shard of a feed; standby: reads, and takes over once there is no owner. */
export const roles = ['owner', 'standby'] as const;
export type Role = (typeof roles)[number];

export const workerStatusSchema = z.object({
  exchange: z.string(),
  role: z.enum(roles).optional(),
  /** False for a standby, while disconnected, or while no symbol's subscription is acknowledged. */
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
      /** Absent from workers of older versions, like what else is optional here. */
      continuity: continuitySchema.optional(),
    }),
  ),
  /** Share of the trades that are written, in percent: 100 only if nothing is missing; null: no id proves anything. */
  completeness: z.number().nullable().optional(),
  /** Trades acknowledged by the broker since start. */
  tradesTotal: z.number().int(),
  /** Over the last 10 s, or since start where that is shorter. */
  tradesPerSecond: z.number(),
});

export type WorkerStatus = z.infer<typeof workerStatusSchema>;
