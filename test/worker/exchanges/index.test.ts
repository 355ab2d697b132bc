import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exchanges } from '../../../worker/exchanges/index.ts';

const worker = new URL('../../../worker/', import.meta.url);
const ids = Object.keys(exchanges);

describe('the registry of exchanges', () => {
  test('has one entry per file in worker/exchanges', () => {
    const files = readdirSync(new URL('exchanges/', worker)).map((file) => file.replace('.ts', ''));
    expect(files.filter((file) => !['exchange', 'index'].includes(file)).sort()).toEqual([...ids].sort());
  });

  test('has a schema of the raw topic for each', () => {
    const schemas = readdirSync(new URL('../schemas/', worker));
    expect(schemas).toEqual(expect.arrayContaining(ids.map((id) => `${id}-trade.avsc`)));
  });

  test.each(ids)('%s has limits and hosts that make sense', (id) => {
    const exchange = exchanges[id];
    expect(exchange?.limits.messagesPerSecond).toBeGreaterThanOrEqual(2);
    expect(exchange?.limits.symbolsPerConnection).toBeGreaterThan(0);
    expect(exchange?.silenceMsMax).toBeGreaterThan(0);
    expect(exchange?.webSocketUrl).toMatch(/^wss:\/\/[^/]+$/);
    expect(exchange?.restUrl).toMatch(/^https:\/\/[^/]+$/);
  });

  test('no exchange is named in code outside worker/exchanges', () => {
    const files = readdirSync(worker, { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((path) => path.endsWith('.ts') && !path.startsWith('exchanges/'))) {
      const code = readFileSync(new URL(file, worker), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      for (const id of ids) expect(code.toLowerCase().includes(id), `${file} names ${id}`).toBe(false);
    }
  });
});
