// The test bed's command line; `make` calls it. Without a command it prints what it knows.
import * as bed from './cluster/bed.ts';
import { bedFolders } from './cluster/folders.ts';
import { componentNames } from './cluster/local/components.ts';
import { createLocalCluster } from './cluster/local/local.ts';
import { type BedRecord, readBed } from './cluster/record.ts';
import { StepFailed } from './cluster/step.ts';

const usage = `node test/bed.ts COMMAND
  up             cluster (K2_CLUSTER=local|kind), broker, registry, images
  down           end all of it, also after a crash
  status         what is up, or was left behind
  build          build what \`up\` needs, start nothing
  services       broker and registry alone, on the loopback address
  kill9 NAME     SIGKILL a component of the local cluster: ${componentNames.join(', ')}
  restart NAME   start it again
  clean          down, and remove all builds`;

const folders = bedFolders(process.env);
const store = {
  folders,
  reporter: { logs: `${folders.state}/log`, print: (line: string) => console.log(line), now: () => performance.now() },
};

async function main([command, name]: string[]): Promise<number> {
  switch (command) {
    case 'up':
      return print(await bed.up(store, process.env));
    case 'down':
      return printLeft(await bed.down(store));
    case 'status':
      return status();
    case 'build':
      await bed.build(store, process.env);
      return 0;
    case 'services':
      return print(await bed.services(store));
    case 'kill9':
    case 'restart':
      return fault(command, name);
    case 'clean':
      return printLeft(await bed.clean(store));
    default:
      console.log(usage);
      return 2;
  }
}

function print({ cluster, services }: BedRecord): number {
  const folder = (path: string) => path.slice(0, path.lastIndexOf('/'));
  console.log(`broker    ${services.bootstrapServers}\nregistry  ${services.schemaRegistryUrl}`);
  if (cluster) {
    console.log(
      `cluster   ${cluster.name}; NodePorts at ${cluster.nodeAddress}; for pods this machine is ${cluster.hostAddress}`,
    );
    console.log(
      `export KUBECONFIG=${cluster.kubeconfig} PATH=${folder(cluster.kubectl)}:${folder(cluster.helm)}:$PATH`,
    );
  }
  console.log(`in all    ${(performance.now() / 1000).toFixed(1)} s`);
  return 0;
}

function printLeft(left: string[]): number {
  console.log(left.length === 0 ? 'nothing is left of the test bed' : ['still there:', ...left].join('\n  '));
  return left.length === 0 ? 0 : 1;
}

async function status(): Promise<number> {
  const record = await readBed(folders.state);
  console.log(record ? `up for ${record.checkout}: ${JSON.stringify(record, null, 2)}` : 'no test bed is up');
  const there = await bed.leftovers(store);
  console.log(there.length === 0 ? 'and nothing is left of one' : ['what is there:', ...there].join('\n  '));
  return 0;
}

async function fault(command: 'kill9' | 'restart', name: string | undefined): Promise<number> {
  const component = componentNames.find((known) => known === name);
  if (!component) throw new Error(`${command} ${name ?? ''}: name one of ${componentNames.join(', ')}`);
  const cluster = await createLocalCluster(store);
  await (command === 'kill9' ? cluster.kill(component) : cluster.restart(component));
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // A step that failed has said so.
  if (!(error instanceof StepFailed)) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
