// The three loops: `unit` needs no root and no services; `services` needs a broker and a registry;
// `local` and `kind` need the cluster of that name, which `test/run.ts` brings up.
import { defineConfig } from 'vitest/config';

const unit = {
  name: 'unit',
  include: ['test/**/*.test.ts'],
  exclude: ['test/services/**/*.broker.test.ts', 'test/**/*.broker.test.ts', 'test/e2e/**', 'node_modules/**'],
};

export default defineConfig({
  test: {
    projects: [
      { test: unit },
      {
        test: { name: 'broker', include: ['test/**/*.broker.test.ts'], testTimeout: 60_000, fileParallelism: false },
      },
      {
        test: {
          name: 'local',
          include: ['test/e2e/*.test.ts'],
          exclude: ['test/e2e/kind.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'kind',
          include: ['test/e2e/kind.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
