import { describe, expect, test } from 'vitest';
import { createPool } from '../../../controller/targets/pool.ts';

interface Client {
  key: string;
  isOpen: boolean;
}

function create(failing = new Set<string>()) {
  const opened: Client[] = [];
  const pool = createPool<Client>({
    async open(key) {
      if (failing.has(key)) throw new Error(`${key} refuses`);
      const client = { key, isOpen: true };
      opened.push(client);
      return client;
    },
    async close(client) {
      client.isOpen = false;
    },
  });
  return { pool, opened };
}

describe('a pool', () => {
  test('opens one client for each address, also when two ask at once', async () => {
    const { pool, opened } = create();
    const [first, second] = await Promise.all([pool.get('a'), pool.get('a')]);
    expect(second).toBe(first);
    await pool.get('b');
    expect(opened.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  test('opens anew after a client was dropped, and closes the old one', async () => {
    const { pool, opened } = create();
    const first = await pool.get('a');
    pool.drop('a');
    const second = await pool.get('a');
    expect(second).not.toBe(first);
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  });

  test('does not remember that opening failed', async () => {
    const failing = new Set(['a']);
    const { pool } = create(failing);
    await expect(pool.get('a')).rejects.toThrow('a refuses');
    failing.clear();
    await expect(pool.get('a')).resolves.toMatchObject({ isOpen: true });
  });

  test('keeps 32 clients and closes the one that was not used for longest', async () => {
    const { pool, opened } = create();
    for (let index = 0; index < 32; index++) await pool.get(`a${index}`);
    await pool.get('a0');
    await pool.get('one more');
    await pool.get('a0');
    expect(opened.filter(({ isOpen }) => !isOpen).map(({ key }) => key)).toEqual(['a1']);
    expect(opened).toHaveLength(33);
  });

  test('closes what is open at the end', async () => {
    const { pool, opened } = create();
    await pool.get('a');
    await pool.close();
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false]);
  });
});
