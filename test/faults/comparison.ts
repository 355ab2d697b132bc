// What the simulator made against what stands in a topic, for one symbol. Pure.

export interface Trade {
  id: string;
  /** Exchange time, milliseconds since 1970. */
  timeMs: number;
  /** Price, quantity, taker side and time, in one spelling for both sides. */
  text: string;
}

/** When trades that an exchange sent to nobody may be missing, milliseconds since 1970. */
export interface Absence {
  fromMs: number;
  untilMs: number;
  /** The fault's number. */
  fault: number;
}

export interface Comparison {
  /** Made from the first trade on that was written: nobody promises those from before the subscription. */
  expected: number;
  /** Made, and not written. */
  lost: Trade[];
  /** As lost, of an exchange whose ids prove nothing, in a time in which it may have sent them to nobody. */
  unproven: Trade[];
  /** Written again; an id that came three times stands here twice. */
  doubled: Trade[];
  /** Written with another price, quantity, side or time. */
  altered: { made: Trade; written: Trade }[];
  /** Written, and never made. */
  invented: Trade[];
}

/**
 * @param made in the order of making, which is that of the ids
 * @param written as the topic has them
 * @param absences of an exchange whose ids prove nothing; none otherwise
 */
export function compareTrades(
  made: readonly Trade[],
  written: readonly Trade[],
  absences: readonly Absence[],
): Comparison {
  const byId = new Map<string, Trade>();
  const doubled: Trade[] = [];
  for (const trade of written) {
    if (byId.has(trade.id)) doubled.push(trade);
    else byId.set(trade.id, trade);
  }
  const start = made.findIndex(({ id }) => byId.has(id));
  const expected = start < 0 ? [] : made.slice(start);
  const missing = expected.filter(({ id }) => !byId.has(id));
  const altered = expected.flatMap((trade) => {
    const found = byId.get(trade.id);
    return found === undefined || found.text === trade.text ? [] : [{ made: trade, written: found }];
  });
  for (const { id } of made) byId.delete(id);
  // What an exchange sends as history on subscribing is older than anything that was made since the start.
  const firstId = BigInt(made[0]?.id ?? 0);
  return {
    expected: expected.length,
    lost: missing.filter((trade) => faultOf(trade, absences) === undefined),
    unproven: missing.filter((trade) => faultOf(trade, absences) !== undefined),
    doubled,
    altered,
    invented: [...byId.values()].filter(({ id }) => BigInt(id) >= firstId),
  };
}

/** The fault during which a trade was made; undefined: none. */
export function faultOf({ timeMs }: Trade, absences: readonly Absence[]): number | undefined {
  return absences.find(({ fromMs, untilMs }) => timeMs >= fromMs && timeMs <= untilMs)?.fault;
}

/** Nothing lost, doubled, altered or invented. */
export function isExact({ lost, doubled, altered, invented }: Comparison): boolean {
  return lost.length + doubled.length + altered.length + invented.length === 0;
}

/** Without the zeros at the end: REST and stream of one exchange may write the same number with more or fewer. */
export function plainDecimal(decimal: string): string {
  return decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal;
}
