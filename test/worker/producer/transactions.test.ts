// Any order of faults, against real sockets and the model of a coordinator and its partitions.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { transactionCodes as codes } from '../../../worker/producer/transaction-failures.ts';
import { TransactionalProducer } from '../../../worker/producer/transactional-producer.ts';
import { type Fate, type StubCluster, startStubCluster } from './stub-cluster.ts';
import type { CoordinatorRequest } from './stub-coordinator.ts';

const id = 'market/binance/0';
const waitMs = 20_000;
const pairs = 3;

/** What happens at one request; of codes, those that its kind of request can be answered with. */
type Fault =
  | Fate
  | 'another takes the id'
  | 'the time is up'
  | 'the coordinator moves'
  | 'the coordinator moves, and cuts'
  | 'the leaders move'
  | 'what is late arrives';

const anywhere: Fault[] = [
  'cut before',
  'cut after',
  'another takes the id',
  'the time is up',
  'the coordinator moves',
  'the coordinator moves, and cuts',
  'the leaders move',
  'late',
  'what is late arrives',
];
const ofCoordinator = [14, 15, 16, codes.concurrentTransactions, codes.transactionAbortable, codes.producerFenced, -1];
const ofLeader = [6, 7, 19, codes.outOfOrderSequence, codes.unknownProducerId, codes.invalidProducerEpoch];

interface Faults {
  coordinator: (Fault | 'good')[];
  leader: (Fault | 'good')[];
}

const faults = (ofKind: Fault[]) =>
  fc.array(fc.oneof({ weight: 2, arbitrary: fc.constant('good' as const) }, fc.constantFrom(...anywhere, ...ofKind)), {
    maxLength: 12,
  });

/** One worker after the other; each goes on after the last pair that it finds committed. */
class Run {
  readonly #stub: StubCluster;
  readonly #producer: TransactionalProducer;
  #next = 0;
  #isFenced = true;
  /** Of what anybody could ever have read. */
  readonly problems: string[] = [];

  constructor(stub: StubCluster, faults: Faults) {
    this.#stub = stub;
    stub.coordinatorFate = (request) => this.#meet(faults.coordinator.shift() ?? 'good', request);
    stub.fate = () => this.#meet(faults.leader.shift() ?? 'good', 'produce');
    stub.coordinator.onEnd = () => this.problems.push(...this.#halves());
    this.#producer = new TransactionalProducer({
      bootstrapServers: stub.servers,
      clientId: 'test',
      random: () => 0,
      onDelivered: () => {},
      onRetry: () => {},
      transactionalId: id,
      monotonicMs: () => performance.now(),
      silenceMsMax: 60_000,
      attach: () => [record('cursor', `cursor ${this.#next - 1}`)],
      onFenced: () => {
        this.#isFenced = true;
      },
      retry: { delayMsBase: 0, delayMsMax: 0 },
    });
  }

  /** Appends pairs until all of so many are committed. */
  async write(count: number): Promise<void> {
    for (;;) {
      if (this.#isFenced) await this.#takeOver();
      if (this.#next === count) {
        expect(await this.#producer.flush(waitMs)).toBe(0);
        if (!this.#isFenced) return;
        continue;
      }
      for (let turn = 0; turn < pairs && this.#next < count; turn++) {
        this.#producer.append(record('raw', `raw ${this.#next}`));
        this.#producer.append(record(`symbol ${this.#next % 3}`, `trade ${this.#next}`));
        this.#next++;
      }
      if (this.#next % 2 === 0) await this.#producer.flush(waitMs);
      else await new Promise(setImmediate);
    }
  }

  close(): Promise<void> {
    return this.#producer.close();
  }

  async #takeOver(): Promise<void> {
    try {
      await this.#producer.claim();
    } catch (error) {
      // Somebody claimed at the same time.
      expect(String(error)).toMatch(
        /PRODUCER_FENCED|INVALID_PRODUCER_EPOCH|TRANSACTION_ABORTABLE|code 120|does not answer/,
      );
      return;
    }
    this.#isFenced = false;
    this.#next = this.#committed('cursor').length === 0 ? 0 : Number(this.#committed('cursor').at(-1)) + 1;
  }

  /** Numbers of the committed records of this kind, in the order of their partition. */
  #committed(kind: string): number[] {
    return committed(this.#stub)
      .filter((value) => value.startsWith(`${kind} `))
      .map((value) => Number(value.slice(kind.length + 1)));
  }

  #halves(): string[] {
    const trades = new Set(this.#committed('trade'));
    const raw = new Set(this.#committed('raw'));
    const cursor = this.#committed('cursor').at(-1) ?? -1;
    const isHalf = [...raw].sort().join() !== [...trades].sort().join() || raw.size !== cursor + 1;
    return isHalf ? [`raw ${[...raw]}, trades ${[...trades]}, cursor ${cursor}`] : [];
  }

  #meet(fault: Fault | 'good', request: CoordinatorRequest | 'produce'): Fate {
    const { coordinator, leaders } = this.#stub;
    if (fault === 'another takes the id') coordinator.takeOver(id);
    else if (fault === 'the time is up') coordinator.timeOut();
    else if (fault === 'what is late arrives') for (const arrive of this.#stub.late.splice(0)) arrive();
    else if (fault === 'the leaders move') this.#stub.leaders = leaders.map((node) => 1 - node);
    else if (fault === 'the coordinator moves' || fault === 'the coordinator moves, and cuts') {
      this.#stub.coordinatorNode = 1 - this.#stub.coordinatorNode;
      return fault === 'the coordinator moves' && request !== 'produce' ? 16 : 'cut before';
    } else return fault;
    return 'good';
  }
}

const record = (key: string, value: string): ProducerRecord => {
  return { topic: 't', key, value: Buffer.from(value), headers: [], timeMs: 0, exchangeTimeMs: null };
};

const committed = ({ partitions }: StubCluster) => partitions.flatMap((partition) => partition.committed());

test('each record is committed once, in order, and never half of what belongs together, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(faults(ofCoordinator), faults(ofLeader), async (coordinator, leader) => {
      const stub = await startStubCluster(2, 4);
      const run = new Run(stub, { coordinator, leader });
      try {
        await run.write(20);
        const found = committed(stub);
        const numbers = (kind: string) =>
          found.filter((value) => value.startsWith(kind)).map((value) => Number(value.split(' ')[1]));
        const all = Array.from({ length: 20 }, (_, index) => index);
        expect(numbers('raw')).toEqual(all);
        for (const symbol of [0, 1, 2]) {
          const ofSymbol = (index: number) => index % 3 === symbol;
          expect(numbers('trade').filter(ofSymbol)).toEqual(all.filter(ofSymbol));
        }
        expect(run.problems).toEqual([]);
      } finally {
        await run.close();
        await stub.close();
      }
    }),
    // Fewer on a busy machine; one run takes 20 to 200 ms.
    { numRuns: 150, interruptAfterTimeLimit: 15_000, timeout: 10_000 },
  );
});
