import { describe, expect, test } from 'vitest';
import { createPool } from '../../../controller/targets/pool.ts';

interface Client {
  key: string;
  isOpen: boolean;
}

function create(failing = new Set<string>()) {
  const opened: Client[] = [];
  const pool = createPool<Client>(async (client) => {
    client.isOpen = false;
  });
  const get = (key: string, version = '1') =>
    pool.get(key, version, async () => {
      if (failing.has(key)) throw new Error(`${key} refuses`);
      const client = { key, isOpen: true };
      opened.push(client);
      return client;
    });
  return { pool, get, opened };
}

describe('a pool', () => {
  test('opens one client for each address, also when two ask at once', async () => {
    const { get, opened } = create();
    const [first, second] = await Promise.all([get('a'), get('a')]);
    expect(second).toBe(first);
    await get('b');
    expect(opened.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  test('opens anew after a client was dropped, and closes the old one', async () => {
    const { pool, get, opened } = create();
    const first = await get('a');
    pool.drop('a');
    const second = await get('a');
    expect(second).not.toBe(first);
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  });

  test('closes a client of an older version, and opens one of the new', async () => {
    const { get, opened } = create();
    const before = await get('a', '1');
    const [first, second] = await Promise.all([get('a', '2'), get('a', '2')]);
    expect(second).toBe(first);
    expect(first).not.toBe(before);
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  });

  test('does not remember that opening failed', async () => {
    const failing = new Set(['a']);
    const { get } = create(failing);
    await expect(get('a')).rejects.toThrow('a refuses');
    failing.clear();
    await expect(get('a')).resolves.toMatchObject({ isOpen: true });
  });

  test('keeps 32 clients and closes the one that was not used for longest', async () => {
    const { get, opened } = create();
    for (let index = 0; index < 32; index++) await get(`a${index}`);
    await get('a0');
    await get('one more');
    await get('a0');
    expect(opened.filter(({ isOpen }) => !isOpen).map(({ key }) => key)).toEqual(['a1']);
    expect(opened).toHaveLength(33);
  });

  test('closes what is open at the end', async () => {
    const { pool, get, opened } = create();
    await get('a');
    await pool.close();
    expect(opened.map(({ isOpen }) => isOpen)).toEqual([false]);
  });
});
