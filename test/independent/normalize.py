"""An independent reading of recorded frames: the same lines as `npm run -s normalize`, written anew from the exchanges'
documentation, with decimals of the standard library. Shares no code with the worker, so that no error there hides here.

usage: normalize.py EXCHANGE [METADATA] < frames.jsonl[.gz]; counts go to standard error, as JSON
"""
import calendar
import decimal
import gzip
import json
import re
import sys
import time

decimal.getcontext().prec = 200


def unpacked(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def milliseconds(rfc3339):
    whole, fraction = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", rfc3339).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + int((fraction or "").ljust(3, "0")[:3])


def other(side):
    return {"BUY": "SELL", "SELL": "BUY"}[side.upper()]


def plain(number):
    """A decimal without sign or exponent, as it is."""
    return re.fullmatch(r"\d+(\.\d+)?", number)[0]


# Each yields (symbol, id, price, quantity, taker's side, milliseconds, sequence, (buyer's order, seller's order)).
def binance(message):
    trade = message.get("data", message)
    if trade.get("e") == "trade":
        side = "SELL" if trade["m"] else "BUY"
        orders = (trade.get("b"), trade.get("a"))
        yield trade["s"], trade["t"], trade["p"], trade["q"], side, int(trade["T"]), None, orders


def kraken(message):
    if message.get("channel") == "trade":
        for trade in message["data"]:
            at = milliseconds(trade["timestamp"])
            yield trade["symbol"], trade["trade_id"], trade["price"], trade["qty"], trade["side"], at, None, None


def coinbase(message):
    if message.get("type") in ("match", "last_match"):
        at, side = milliseconds(message["time"]), other(message["side"])
        symbol, size, sequence = message["product_id"], message["size"], message["sequence"]
        yield symbol, message["trade_id"], message["price"], size, side, at, sequence, None


def coinbase_advanced(message):
    if message.get("channel") == "market_trades":
        for event in message["events"]:
            for trade in event["trades"]:
                at, side = milliseconds(trade["time"]), other(trade["side"])
                yield trade["product_id"], trade["trade_id"], trade["price"], trade["size"], side, at, None, None


def okx(message):
    if message.get("arg", {}).get("channel") in ("trades", "trades-all") and "data" in message:
        for trade in message["data"]:
            side, at = trade["side"], int(trade["ts"])
            yield trade["instId"], trade["tradeId"], trade["px"], trade["sz"], side, at, trade.get("seqId"), None


def bybit(message):
    if message.get("topic", "").startswith("publicTrade."):
        for trade in message["data"]:
            yield trade["s"], trade["i"], trade["p"], trade["v"], trade["S"], int(trade["T"]), trade.get("seq"), None


READINGS = {
    "binance": binance,
    "kraken": kraken,
    "coinbase": coinbase,
    "coinbase-advanced": coinbase_advanced,
    "okx": okx,
    "bybit": bybit,
}


def canonical_symbols(exchange, body):
    if exchange == "binance":
        return {it["symbol"]: f"{it['baseAsset']}/{it['quoteAsset']}" for it in body["symbols"]}
    if exchange == "kraken":
        renamed = {"XBT": "BTC", "XDG": "DOGE"}
        names = [it["wsname"].split("/") for it in body["result"].values() if "wsname" in it]
        pairs = ["/".join(renamed.get(asset, asset) for asset in name) for name in names]
        return {pair: pair for pair in pairs}
    if exchange == "coinbase":
        return {it["id"]: f"{it['base_currency']}/{it['quote_currency']}" for it in body}
    if exchange == "coinbase-advanced":
        products = body["products"]
        return {it["product_id"]: f"{it['base_currency_id']}/{it['quote_currency_id']}" for it in products}
    if exchange == "okx":
        return {it["instId"]: f"{it['baseCcy']}/{it['quoteCcy']}" for it in body["data"]}
    return {it["symbol"]: f"{it['baseCoin']}/{it['quoteCoin']}" for it in body["result"]["list"]}


def told_by_symbol(exchange, symbol):
    """BTC/USD of Kraken and BTC-USD of Coinbase and OKX say it themselves."""
    if exchange == "kraken":
        return symbol
    parts = symbol.split("-")
    return "/".join(parts) if exchange in ("coinbase", "coinbase-advanced", "okx") and len(parts) == 2 else None


def whole(number):
    return None if number is None else int(number)


def line(exchange, names, received, trade):
    symbol, trade_id, price, quantity, side, at, sequence, orders = trade
    buyer, seller = orders or (None, None)
    side = other(other(side))
    fields = {
        "schema_version": "1.0.0",
        "exchange": exchange,
        "symbol": symbol,
        "canonical_symbol": told_by_symbol(exchange, symbol) if names is None else names.get(symbol),
        "trade_id": trade_id,
        "price": plain(price),
        "quantity": plain(quantity),
        "quote_volume": format(decimal.Decimal(price) * decimal.Decimal(quantity), "f"),
        "side": side,
        "timestamp": at if received is None else int(decimal.Decimal(received) * 1000),
        "exchange_timestamp": at,
        "metadata": {
            "sequence_number": whole(sequence),
            "is_buyer_maker": side == "SELL",
            "buyer_order_id": whole(buyer),
            "seller_order_id": whole(seller),
        },
    }
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def read_frame(exchange, names, recorded):
    """(symbol, id, line) of each trade, by id where ids are numbers that rise."""
    text = recorded["frame"]
    if text in ("ping", "pong"):
        return []
    message = json.loads(text, parse_float=str, parse_int=str)
    trades = list(READINGS[exchange](message))
    if exchange != "bybit":
        trades.sort(key=lambda trade: int(trade[1]))
    return [(trade[0], trade[1], line(exchange, names, recorded["ts"], trade)) for trade in trades]


def missing(ids):
    numbers = {int(one) for one in ids}
    return max(numbers) - min(numbers) + 1 - len(numbers)


def main(exchange, metadata=None):
    names = None
    if metadata:
        with open(metadata, "rb") as file:
            names = canonical_symbols(exchange, json.loads(unpacked(file.read())))
    counts = {"frames": 0, "trades": 0, "duplicates": 0, "unreadable": 0, "missing": 0}
    ids = {}
    for text in unpacked(sys.stdin.buffer.read()).decode().split("\n"):
        if text == "":
            continue
        recorded = json.loads(text, parse_float=str)
        counts["frames"] += 1
        try:
            trades = read_frame(exchange, names, recorded)
        except (ValueError, TypeError, KeyError, AttributeError):
            counts["unreadable"] += 1
            continue
        for symbol, trade_id, text in trades:
            seen = ids.setdefault(symbol, set())
            if trade_id in seen:
                counts["duplicates"] += 1
                continue
            seen.add(trade_id)
            counts["trades"] += 1
            print(text)
    if exchange != "bybit":
        counts["missing"] = sum(map(missing, ids.values()))
    print(json.dumps(counts), file=sys.stderr)


main(*sys.argv[1:])
