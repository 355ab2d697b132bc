// What the worker program is given: its environment, the exchange that it names, the schemas in their folder, and
// credentials in theirs.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseWorkerConfig, type Variable, variables, type WorkerConfig } from '../api/worker-config.ts';
import { type Access, readAccess } from './access.ts';
import type { Exchange } from './exchanges/exchange.ts';
import { exchanges } from './exchanges/index.ts';
import { messageOf } from './retry.ts';

export interface Configured {
  config: WorkerConfig & { instance: string };
  exchange: Exchange;
  /** Texts of the Avro schemas. */
  schemas: { raw: string; normalized: string };
  access: Access;
}

/** @throws Error with one line, as parseWorkerConfig() does */
export function configure(environment: NodeJS.ProcessEnv): Configured {
  const config = parseWorkerConfig(environment);
  const exchange = exchanges[config.exchange];
  if (exchange === undefined) {
    throw badValue(variables.exchange, `'${config.exchange}' is not one of ${Object.keys(exchanges).join(', ')}`);
  }
  const read = (file: string) => {
    try {
      return readFileSync(join(config.schemaPath, file), 'utf8');
    } catch (error) {
      throw badValue(variables.schemaPath, `'${config.schemaPath}' has no readable ${file} (${messageOf(error)})`);
    }
  };
  const schemas = { raw: read(`${config.exchange}-trade.avsc`), normalized: read('normalized-trade.avsc') };
  const access = readAccess(config, config.kafkaTls);
  return { config: { ...config, instance: config.instance ?? hostname() }, exchange, schemas, access };
}

function badValue({ name, example }: Variable<unknown>, problem: string): Error {
  return new Error(`${name}: ${problem}; for example ${name}=${example}`);
}
