// Cuts between two parties, as packet filters in network namespaces that the bed holds: of one pod, or of the node,
// through which all pods reach broker and registry. They end with their namespace: none outlives `make down`.
import { run } from '../cluster/command.ts';
import { inside } from '../cluster/local/namespaces.ts';
import { sandboxPid } from './processes.ts';
import type { System, WorkerPod } from './system.ts';

/** `10.0.0.1` or `10.0.0.1:9092`; null: everything. */
export type Party = string | null;

/** All rules of a run are in one table of this name. */
const table = 'inet k2_faults';

export interface Cut {
  mend(): Promise<void>;
}

/** Neither side hears the other any more: what is sent vanishes. @throws Error when the pod does not run */
export async function cutPod(pod: WorkerPod, from: Party): Promise<Cut> {
  // The namespace lives as long as the sandbox, whatever becomes of the worker in it.
  const enter = ['nsenter', '--target', String(sandboxPid(pod)), '--net', '--'];
  const [out, back] = from === null ? ['oifname != lo', 'iifname != lo'] : [matching(from, 'd'), matching(from, 's')];
  await load(enter, [chain('output', `${out} drop`), chain('input', `${back} drop`)]);
  // A pod that is gone by then took the rules along.
  return { mend: () => unload(enter) };
}

/**
 * Between all pods and a server on the machine.
 * @param how `refuse`: connections are reset, as by a server that is down
 */
export async function cutNode(system: System, from: string, how: 'drop' | 'refuse'): Promise<Cut> {
  const enter = inside(system.store.folders.state);
  const verdict = how === 'drop' ? 'drop' : 'reject with tcp reset';
  await load(enter, [chain('forward', `${matching(from, 'd')} ${verdict}`, `${matching(from, 's')} drop`)]);
  return { mend: () => unload(enter) };
}

/** What a run that was killed left in the node's namespace. */
export function mendNode({ store }: Pick<System, 'store'>): Promise<void> {
  return unload(inside(store.folders.state));
}

/** @param side of the packet: `d` for destination, `s` for source */
function matching(party: string, side: 'd' | 's'): string {
  const [address, port] = party.split(':');
  return `ip ${side}addr ${address}${port === undefined ? '' : ` tcp ${side}port ${port}`}`;
}

// Before kube-proxy's own rules, which are at 0 and later.
const chain = (hook: string, ...rules: string[]) =>
  `chain ${hook} {\ntype filter hook ${hook} priority -10\n${rules.join('\n')}\n}\n`;

async function load(enter: string[], chains: string[]): Promise<void> {
  await unload(enter);
  await run([...enter, 'nft', '-f', '-'], { input: `table ${table} {\n${chains.join('')}}\n` });
}

async function unload(enter: string[]): Promise<void> {
  await run([...enter, 'nft', 'delete', 'table', ...table.split(' ')]).catch(() => {});
}
