// Products and their second names: BTC-USDC is BTC-USD on the public channels, where that is listed.
// https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
import type { Desk } from '../protocol.ts';
import type { Listing } from '../trades.ts';

/** USDT-USDC and EURC-USDC are no second names. */
const withoutAlias = ['USDT', 'EURC'];

/** The product, and its second name. */
export function namesOf({ baseAsset, quoteAsset }: Listing): string[] {
  const name = `${baseAsset}-${quoteAsset}`;
  return quoteAsset === 'USD' && !withoutAlias.includes(baseAsset) ? [name, `${baseAsset}-USDC`] : [name];
}

/** The listing whose trades are streamed for a product. */
export function streamedListing(desk: Desk, product: string): Listing | undefined {
  const dollars = desk.market.listings().find((listing) => namesOf(listing)[1] === product);
  return dollars ?? desk.listing(product);
}
