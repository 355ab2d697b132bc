import { expect, test } from 'vitest';
import { copiedPaths } from './images.ts';

test('an image depends on what its Dockerfile copies from the checkout, and on nothing else', () => {
  const dockerfile = `FROM node:24-bookworm-slim AS build
COPY package.json package-lock.json ./
COPY --chown=1000:1000 worker \\
  worker
RUN node COPY.js
FROM node:24-bookworm-slim
COPY --from=build /src/build/worker.mjs ./
COPY LICENSE ./
`;
  expect(copiedPaths(dockerfile)).toEqual(['package.json', 'package-lock.json', 'worker', 'LICENSE']);
});
