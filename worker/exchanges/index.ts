// The registry: one line per exchange. Pure data and functions, so the controller may import it, too.
import { binance } from './binance.ts';
import type { Exchange } from './exchange.ts';

export const exchanges: Readonly<Record<string, Exchange>> = {
  binance,
};
