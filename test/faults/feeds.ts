// The feeds of a run: four exchanges of different habits, one market behind all of them.
import { randomUUID } from 'node:crypto';

export interface Feed {
  name: string;
  exchange: string;
  /** As the exchange spells them. A fault may take the last one away for a while. */
  symbols: readonly string[];
  /** Of normalized trades; the raw one has `.raw` behind it. */
  topic: string;
  /** Whether its trade ids rise by one, so that a hole in them is a trade that is missing. */
  isProvable: boolean;
}

/** Names that no run before had: the cursor topic of an exchange remembers feeds by name. */
export function feedsOfRun(run = randomUUID().slice(0, 8)): Feed[] {
  const feed = (exchange: string, symbols: string[], isProvable = true): Feed => {
    const name = `faults-${exchange}-${run}`;
    return { name, exchange, symbols, topic: name, isProvable };
  };
  return [
    feed('binance', ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']),
    feed('kraken', ['BTC/USDT', 'ETH/USDT', 'BNB/USDT']),
    feed('coinbase', ['BTC-USDT', 'ETH-USDT', 'BNB-USDT']),
    feed('bybit', ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'], false),
  ];
}
