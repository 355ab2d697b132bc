// Four suites. `unit` needs no root and no services; `broker` needs a broker and a registry; `e2e` needs a bed
// (cluster, broker, registry, images), and `kind` a bed that is a kind cluster. test/run.ts brings each up.
import { defineConfig } from 'vitest/config';

// Real parts are shared by a suite's files, so these run one after the other.
const real = { fileParallelism: false, testTimeout: 180_000, hookTimeout: 300_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          // Some start a process of their own, which takes seconds where the machine is busy.
          testTimeout: 30_000,
          hookTimeout: 30_000,
          include: ['test/**/*.test.ts'],
          exclude: ['**/*.broker.test.ts', 'test/e2e/**', '**/node_modules/**'],
        },
      },
      { test: { name: 'broker', include: ['test/**/*.broker.test.ts'], ...real } },
      { test: { name: 'e2e', include: ['test/e2e/*.test.ts'], exclude: ['test/e2e/kind.test.ts'], ...real } },
      { test: { name: 'kind', include: ['test/e2e/kind.test.ts'], ...real } },
    ],
  },
});
