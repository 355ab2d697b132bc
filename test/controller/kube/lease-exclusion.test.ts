// Of processes that stop, wake up and lose the server in any order, never do two believe that they lead.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { settled, stand } from './candidate.ts';
import { createLeaseServer } from './lease-server.ts';

const stepMs = 250;

function setUp() {
  const server = createLeaseServer();
  const processes = ['a', 'b', 'c'].map((identity, i) =>
    stand(server, identity, { random: i / 3, year: 2000 + 10 * i }),
  );
  const leaders = () => processes.filter(({ election }) => isLeading(election.check));
  /** Time passes for all; one of them may stand still. */
  async function pass(ms: number, paused = -1) {
    for (let passed = 0; passed < ms; passed += stepMs) {
      for (const [i, process] of processes.entries()) {
        if (i === paused) process.pause(stepMs);
        else process.clock.advance(stepMs);
      }
      await settled();
      expect(leaders().length).toBeLessThanOrEqual(1);
    }
  }
  return { server, processes, leaders, pass };
}

function isLeading(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

test('whatever happens, at most one process leads, and one does once the server is there', async () => {
  const step = fc.record({
    who: fc.nat(2),
    what: fc.constantFrom('up', 'failing', 'silent', 'deaf', 'pause', 'release', 'nothing'),
    ms: fc.nat(20_000),
  });
  const history = fc.array(step, { minLength: 1, maxLength: 15 });
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const { server, processes, leaders, pass } = setUp();
      await settled();
      for (const { who, what, ms } of steps) {
        const process = processes[who];
        if (what === 'release') void process?.election.release();
        else if (what !== 'pause' && what !== 'nothing' && process) process.line.is = what;
        await pass(ms, what === 'pause' ? who : -1);
      }
      for (const { line } of processes) line.is = 'up';
      // Processes that lost the lease have ended: one more, as it is started anew.
      processes.push(stand(server, 'd'));
      await pass(25_000);
      expect(leaders()).toHaveLength(1);
    }),
    { numRuns: 30 },
  );
});
