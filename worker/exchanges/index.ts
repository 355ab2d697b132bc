// The registry: one line per exchange. Pure data and functions, so the controller may import it, too.
import { binance } from './binance.ts';
import { bybit } from './bybit.ts';
import { coinbase } from './coinbase.ts';
import { coinbaseAdvanced } from './coinbase-advanced.ts';
import type { Exchange } from './exchange.ts';
import { kraken } from './kraken.ts';
import { okx } from './okx.ts';

export const exchanges: Readonly<Record<string, Exchange>> = {
  binance,
  bybit,
  coinbase,
  'coinbase-advanced': coinbaseAdvanced,
  kraken,
  okx,
};
