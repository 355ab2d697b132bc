// Asks the workers of a feed what they stream: GET /status of each pod, by its address.
import { Agent, request } from 'undici';
import { workerStatusSchema } from '../api/worker-status.ts';
import { wordsOf } from './errors.ts';
import type { WorkerReport } from './streaming.ts';
import { isReady, type Pod, shardOf, workerPort } from './workload.ts';

export interface WorkerReader {
  /** One report for each pod that runs; never throws. */
  read(pods: Pod[]): Promise<WorkerReport[]>;
  close(): Promise<void>;
}

// A worker answers from memory: one that needs longer is stuck, and the next look comes within seconds.
const requestMsMax = 2_000;
// 1,000 symbols with a message each.
const answerBytesMax = 1024 * 1024;
// 16 shards with an owner, a standby, and one more each during an update; more would be leftovers of broken nodes.
const podsMax = 64;

/** @param port of every worker; another one than the usual only in tests */
export function createWorkerReader(port = workerPort): WorkerReader {
  // Workers come and go: a connection that is kept would often lead to one that is gone.
  const agent = new Agent({ pipelining: 0, connect: { timeout: requestMsMax }, maxResponseSize: answerBytesMax });

  async function readOne(pod: Pod): Promise<WorkerReport> {
    const address = pod.status?.podIP ?? '';
    const host = address.includes(':') ? `[${address}]` : address;
    const report = { pod: pod.metadata.name, shard: shardOf(pod), ready: isReady(pod) };
    try {
      const signal = AbortSignal.timeout(requestMsMax);
      const { statusCode, body } = await request(`http://${host}:${port}/status`, { dispatcher: agent, signal });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`status ${statusCode}`);
      const parsed = workerStatusSchema.safeParse(JSON.parse(text));
      if (!parsed.success) throw new Error(`not a worker's status: ${parsed.error.issues[0]?.path.join('.')}`);
      return { ...report, status: parsed.data };
    } catch (error) {
      return { ...report, status: new Error(wordsOf(error), { cause: error }) };
    }
  }

  return {
    read: (pods) => Promise.all(pods.filter(runs).slice(0, podsMax).map(readOne)),
    close: () => agent.destroy(),
  };
}

const runs = ({ metadata, status }: Pod): boolean =>
  status?.phase === 'Running' && status.podIP !== undefined && metadata.deletionTimestamp === undefined;
