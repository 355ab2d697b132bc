// Bundles one program into one file for its image: `node scripts/bundle.ts worker` writes build/worker.mjs.
// One file starts faster and needs less memory than several thousand, and the image needs no node_modules.
import { type BuildOptions, build, type Plugin } from 'esbuild';

const programs: Record<string, string> = {
  worker: 'worker/main.ts',
  controller: 'controller/main.ts',
  normalize: 'worker/normalize.ts',
  audit: 'audit/main.ts',
};

// Its modules only declare things, but the package does not say so ("sideEffects": false); without that the consumer,
// the admin client and all serializers would be loaded, too.
const kafkaClient = '@platformatic/kafka';

const dropUnusedClients: Plugin = {
  name: 'drop-unused-clients',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /./ }, async ({ path, pluginData, ...options }) => {
      const inside = options.importer.includes(`/${kafkaClient}/dist/`);
      if (pluginData === dropUnusedClients || !(path === kafkaClient || inside)) return undefined;
      return { ...(await resolve(path, { ...options, pluginData: dropUnusedClients })), sideEffects: false };
    });
  },
};

const program = process.argv[2] ?? '';
const entry = programs[program];
if (entry === undefined) {
  const known = Object.keys(programs).join('|');
  console.error(`bundle: '${program}' is not a program; usage: node scripts/bundle.ts ${known}`);
  process.exit(2);
}

const options: BuildOptions = {
  entryPoints: [entry],
  outfile: `build/${program}.mjs`,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // Names stay whole, so a stack trace can be read without a source map.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // CommonJS packages inside an ES module still call require().
  banner: {
    js: "import{createRequire as createRequireOf}from'node:module';const require=createRequireOf(import.meta.url);",
  },
  // The same module with its WebAssembly inside, instead of read from a file beside it.
  alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
  // Optional accelerators of ws: absent in the image, and not needed.
  external: ['bufferutil', 'utf-8-validate'],
  plugins: [dropUnusedClients],
  logLevel: 'warning',
  metafile: true,
};

const { metafile } = await build(options);
for (const [file, { bytes }] of Object.entries(metafile?.outputs ?? {}))
  console.log(`${file}: ${Math.ceil(bytes / 1024)} KiB`);
