// Eight suites. `unit` and `slow` need no root and no services, but `slow` takes minutes: it waits as exchanges make
// one wait, and reads every recording twice. `api` needs Go: it starts API servers of its own, and breaks them.
// `broker` needs a broker and a registry; `e2e` needs a bed (cluster, broker, registry, images), and `kind` a bed that
// is a kind cluster. test/run.ts brings each up. `broker-faults` needs Java and Maven, and starts the brokers that it
// breaks; `broker-faults-long` adds what takes minutes, for by hand.
import { defineConfig } from 'vitest/config';

// What is awaited comes at once as a rule, and late on a busy machine: the default of 1 s would call that a failure.
const patient = { expect: { poll: { timeout: 20_000 } } };

// Real parts are shared by a suite's files, so these run one after the other.
const real = { ...patient, fileParallelism: false, testTimeout: 180_000, hookTimeout: 300_000 };

export default defineConfig({
  test: {
    // Many tests wait for sockets and timers: two cores carry more than one file each.
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: 'unit',
          ...patient,
          // Some start a process of their own, which takes seconds where the machine is busy.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          include: ['test/**/*.test.ts'],
          exclude: [
            ...['**/*.broker.test.ts', '**/*.slow.test.ts', '**/*.api.test.ts'],
            ...['test/e2e/**', 'test/broker-faults/*.test.ts'],
            '**/node_modules/**',
          ],
        },
      },
      {
        test: {
          ...patient,
          name: 'slow',
          include: ['test/**/*.slow.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 30_000,
        },
      },
      { test: { name: 'api', include: ['test/**/*.api.test.ts'], ...real } },
      { test: { name: 'broker', include: ['test/**/*.broker.test.ts'], ...real } },
      {
        test: {
          name: 'broker-faults',
          include: ['test/broker-faults/*.test.ts'],
          exclude: ['test/broker-faults/*.long.test.ts'],
          ...real,
        },
      },
      {
        test: { name: 'broker-faults-long', include: ['test/broker-faults/*.test.ts'], ...real, testTimeout: 400_000 },
      },
      { test: { name: 'e2e', include: ['test/e2e/*.test.ts'], exclude: ['test/e2e/kind.test.ts'], ...real } },
      { test: { name: 'kind', include: ['test/e2e/kind.test.ts'], ...real } },
    ],
  },
});
