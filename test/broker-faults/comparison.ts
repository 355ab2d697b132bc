// One trade in one spelling, from each place where it stands: as the simulator made it, as the raw topic has it, and as
// the normalized topic has it.
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import type { Message } from 'kafkajs';
import type { MadeTrade } from '../simulator/control.ts';

const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
/** Confluent's framing: a zero, and the schema's id. */
const framingBytes = 5;

export interface Compared {
  key: string;
  text: string;
}

const textOf = (...fields: (string | number)[]) => fields.join(' ');

export function tradeOfMade({ symbol, id, price, quantity, takerSide, timeUs }: MadeTrade): string {
  return textOf(symbol, id, price, quantity, takerSide.toUpperCase(), Math.floor(timeUs / 1000));
}

export function tradeOfNormalized({ value }: Message): Compared {
  const trade = type.fromBuffer((value as Buffer).subarray(framingBytes)) as Record<string, string>;
  const { symbol = '', trade_id: id = '', price = '', quantity = '', side = '', exchange_timestamp: time = '' } = trade;
  return { key: `${symbol} ${id}`, text: textOf(symbol, id, price, quantity, side, time) };
}

/** Read by patterns and not as JSON: nothing is shared with the worker, which might err in the same way. */
export function tradeOfRaw({ key, value, headers }: Message): Compared {
  const text = String(value);
  const isBackfilled = headers?.['k2-source'] !== undefined;
  const names = isBackfilled ? ['id', 'price', 'qty', 'isBuyerMaker', 'time'] : ['t', 'p', 'q', 'm', 'T'];
  const [id = '', price = '', quantity = '', isBuyerMaker = '', time = ''] = names.map((name) => {
    return new RegExp(`"${name}":"?([^",}]*)`).exec(text)?.[1] ?? `no ${name} in ${text}`;
  });
  const symbol = String(key);
  const side = isBuyerMaker === 'true' ? 'SELL' : 'BUY';
  return { key: `${symbol} ${id}`, text: textOf(symbol, id, price, quantity, side, time) };
}
