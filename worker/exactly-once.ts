// `delivery: ExactlyOnce`: what was appended together is in one transaction, with the cursors that it moved; one worker
// of a shard writes, the others are standbys.

import { readCursors, readRecentTrades } from './cursor.ts';
import { CursorLog } from './cursor-log.ts';
import { cursorRecord, ownerRecord, type View } from './cursor-records.ts';
import type { Delivery, DeliveryOptions } from './delivery.ts';
import { Handover, quietMsMax } from './handover.ts';
import type { ProducerRecord } from './producer/producer.ts';
import { TransactionalProducer } from './producer/transactional-producer.ts';
import type { Written } from './symbols.ts';

const notKnown = 'the cursor topic has not told yet who the owner is';

export function createExactlyOnce(options: DeliveryOptions): Delivery {
  const { config, exchange, schemas, clientId, events, symbols, log, prepare, report, monotonicMs, random } = options;
  const { bootstrapServers, feed: feedName, shard, topicNormalized } = config;
  const broker = { bootstrapServers, clientId, access: options.access.kafka };
  const place = { topic: config.topicCursors, feed: feedName };
  const claimant = { shard, instance: config.instance, symbols: config.symbols };
  const transactionalIdOf = (ofShard: number) => `${feedName}/${ofShard}`;
  options.status.report('take-over', notKnown);

  const cursorLog = new CursorLog({
    ...place,
    ...broker,
    monotonicMs,
    random,
    onProblem: (problem) => report('cursors', problem),
    onUnreadable: (why) => log.error({ topic: place.topic }, `a record cannot be read: ${why}`),
  });
  const producer = new TransactionalProducer({
    ...events,
    ...broker,
    transactionalId: transactionalIdOf(shard),
    silenceMsMax: quietMsMax,
    attach,
    onFenced: (why) => handover.onFenced(why),
    onCommitted(tookMs) {
      report('producer', null);
      options.metrics.transaction.observe(tookMs / 1000);
    },
    monotonicMs,
    random,
  });
  let keptSinceMs = () => Number.POSITIVE_INFINITY;
  const tail = { ...broker, topic: topicNormalized, schema: schemas.normalized };
  /** Of symbols without a cursor: nobody writes them without one, so what was read once stays true. */
  let tails: Written = new Map();
  const handover = new Handover({ ...options, claimant, transactionalIdOf, cursorLog, producer, resume });

  function attach(): ProducerRecord[] {
    const timeMs = Date.now();
    const cursors = symbols.changedCursors().map(({ symbol, cursor }) => cursorRecord(place, symbol, cursor, timeMs));
    const sign = handover.sign();
    return sign === null ? cursors : [...cursors, ownerRecord(place, shard, sign, timeMs)];
  }

  function readTails(): Promise<Written> {
    const { cursors } = cursorLog.view();
    return readCursors({ ...tail, symbols: config.symbols.filter((symbol) => !cursors.has(symbol)) });
  }

  async function resume({ cursors }: View): Promise<Written> {
    if (exchange.continuity.kind === 'none') {
      return readRecentTrades({ ...tail, symbols: config.symbols }, keptSinceMs());
    }
    const own = [...cursors].filter(([symbol]) => config.symbols.includes(symbol));
    return new Map([...tails, ...own]);
  }

  return {
    producer,
    async run(feed, signal) {
      keptSinceMs = () => feed.keptSinceMs();
      await cursorLog.catchUp(signal);
      if (exchange.continuity.kind !== 'none') tails = await prepare('cursors', readTails);
      await handover.run(feed, signal);
    },
    drain: (waitMsMax) => handover.drain(waitMsMax),
    ownerSilenceMs: () => handover.ownerSilenceMs(),
    async close() {
      await cursorLog.close();
      await producer.close();
    },
  };
}
