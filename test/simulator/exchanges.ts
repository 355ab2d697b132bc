// The exchanges that one simulator speaks for, all of them on one port, told apart by path.
import { Binance } from './binance/binance.ts';
import { bybit } from './bybit/bybit.ts';
import { coinbase } from './coinbase/coinbase.ts';
import { coinbaseAdvanced } from './coinbase-advanced/coinbase-advanced.ts';
import type { Exchange, ExchangeServices } from './exchange.ts';
import { kraken } from './kraken/kraken.ts';
import { okx } from './okx/okx.ts';
import { StreamExchange } from './stream-exchange.ts';

const protocols = [kraken, coinbase, coinbaseAdvanced, okx, bybit];

/** What stands first in their paths. */
export const exchangeIds = ['binance', ...protocols.map((protocol) => protocol.id)];

export interface Exchanges {
  all: Exchange[];
  /** Also answers without its id in the path, and plays recordings. */
  first: Binance;
}

export function createExchanges(services: ExchangeServices, settings: Partial<Exchange['settings']>): Exchanges {
  const first = new Binance(services, settings);
  const others = protocols.map((protocol) => new StreamExchange(protocol, services, settings));
  return { all: [first, ...others], first };
}

/** The exchange that answers on a path, and the path as the exchange itself knows it. */
export function routeOf({ all, first }: Exchanges, pathname: string): { exchange: Exchange; path: string } | null {
  for (const exchange of all) {
    if (pathname !== `/${exchange.id}` && !pathname.startsWith(`/${exchange.id}/`)) continue;
    const path = pathname.slice(exchange.id.length + 1) || '/';
    return exchange.owns(path) ? { exchange, path } : null;
  }
  return first.owns(pathname) ? { exchange: first, path: pathname } : null;
}
