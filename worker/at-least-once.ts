// `delivery: AtLeastOnce`: one worker, no transactions; it goes on from what the normalized topic's own end holds.
import { readCursors, readRecentTrades } from './cursor.ts';
import type { Delivery, DeliveryOptions } from './delivery.ts';
import { BatchProducer } from './producer/batch-producer.ts';
import type { Written } from './symbols.ts';

export function createAtLeastOnce(options: DeliveryOptions): Delivery {
  const { config, exchange, schemas, clientId, events, status, log, prepare, random } = options;
  const { bootstrapServers, topicNormalized, symbols } = config;
  const broker = { bootstrapServers, clientId, access: options.access.kafka };
  const producer = new BatchProducer({ ...broker, random, ...events });
  const tail = { ...broker, topic: topicNormalized, schema: schemas.normalized, symbols };
  const resume = (): Promise<Written> =>
    exchange.continuity.kind === 'none' ? readRecentTrades(tail, Number.POSITIVE_INFINITY) : readCursors(tail);
  return {
    producer,
    async run(feed, signal) {
      const written = await prepare('cursors', resume);
      if (signal.aborted) return;
      log.info(
        { symbols: written.size },
        'the topic holds earlier trades of so many symbols, and reading resumes there',
      );
      status.setOwner();
      feed.takeOver(written);
    },
    drain: (waitMsMax) => producer.flush(waitMsMax),
    ownerSilenceMs: () => 0,
    close: () => producer.close(),
  };
}
