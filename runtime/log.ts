// One JSON object a line on standard output (12 factors, XI). No line per trade: that is what metrics are for.
import { type Logger, pino } from 'pino';

export type { Logger };

/** @param level the least level that is written */
export function createLogger(level: string, program: string): Logger {
  return pino({
    level,
    base: { program },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err },
  });
}
