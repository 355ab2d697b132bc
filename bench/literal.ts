// The same work as it is usually first written: zod, registry.encode() and kafkajs' send() for each trade. It is here
// to be measured beside the worker's own code, in the same run.
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { z } from 'zod';
import { multiplyDecimals } from '../worker/decimal.ts';
import { type Figures, measure } from './figures.ts';

/** Sends that are not yet acknowledged; more of them cost memory and bring nothing. */
const pendingMax = 2000;

const decimal = z.string().regex(/^\d+(\.\d+)?$/);

const frameSchema = z.object({
  stream: z.string(),
  data: z.object({
    e: z.literal('trade'),
    s: z.string().min(1),
    t: z.number().int().nonnegative(),
    p: decimal,
    q: decimal,
    T: z.number().int().nonnegative(),
    m: z.boolean(),
  }),
});

export interface LiteralOptions {
  brokers: string[];
  schemaRegistryUrl: string;
  topicRaw: string;
  topicNormalized: string;
  /** Text of schemas/normalized-trade.avsc. */
  schema: string;
  /** Frames of Binance's combined stream, one trade each. */
  frames: readonly Buffer[];
}

/** Flat out for so many milliseconds, then until all is acknowledged. */
export async function measureLiteral(options: LiteralOptions, ms: number): Promise<Figures> {
  const { brokers, topicRaw, topicNormalized, frames } = options;
  const registry = new SchemaRegistry({ host: options.schemaRegistryUrl });
  const subject = `${topicNormalized}-value`;
  const { id } = await registry.register({ type: SchemaType.AVRO, schema: options.schema }, { subject });
  const kafka = new Kafka({ clientId: 'bench-literal', brokers, logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();

  const send = (topic: string, key: string, value: Buffer) =>
    producer.send({ topic, acks: -1, compression: CompressionTypes.None, messages: [{ key, value }] });
  async function writeTrade(frame: Buffer): Promise<void> {
    const { data } = frameSchema.parse(JSON.parse(frame.toString()));
    const value = await registry.encode(id, {
      schema_version: '1.0.0',
      exchange: 'binance',
      symbol: data.s,
      canonical_symbol: 'BTC/USDT',
      trade_id: String(data.t),
      price: data.p,
      quantity: data.q,
      quote_volume: multiplyDecimals(data.p, data.q),
      side: data.m ? 'SELL' : 'BUY',
      timestamp: Date.now(),
      exchange_timestamp: data.T,
      metadata: { sequence_number: null, is_buyer_maker: data.m, buyer_order_id: null, seller_order_id: null },
    });
    await Promise.all([send(topicRaw, data.s, frame), send(topicNormalized, data.s, value)]);
  }

  const pending = new Set<Promise<void>>();
  const end = measure();
  const endMs = performance.now() + ms;
  let trades = 0;
  while (performance.now() < endMs) {
    const frame = frames[trades++ % frames.length] ?? Buffer.alloc(0);
    const write: Promise<void> = writeTrade(frame).finally(() => pending.delete(write));
    pending.add(write);
    if (pending.size >= pendingMax) await Promise.race(pending);
  }
  await Promise.all(pending);
  const figures = end(trades);
  await producer.disconnect();
  return figures;
}
