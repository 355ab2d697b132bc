// `make controller-faults`: what the controllers do when API server, leader, broker, registry or people do what they
// should not; writes docs/controller-faults.md. Minutes, no root. FAULTS=<words> runs those whose names have the words.
import { writeFileSync } from 'node:fs';
import { faults } from './fault-list.ts';
import { measuredOn } from './results.ts';
import { Scene } from './scene.ts';
import { startWorld } from './world.ts';

const wanted = process.env.FAULTS ?? '';
const chosen = faults.filter(({ name }) => name.includes(wanted));
if (chosen.length === 0)
  throw new Error(`FAULTS: '${wanted}' is in no name: ${faults.map(({ name }) => name).join('; ')}`);

const rows: string[] = [];
let wrongActions = 0;
const world = await startWorld();
const scene = await Scene.start(world);
try {
  for (const { name, happen } of chosen) {
    await scene.leader();
    await scene.look();
    const seen = await happen(scene);
    await scene.make();
    const seconds = await scene.untilReady();
    const wrongs = await scene.wrongs();
    wrongActions += wrongs.length;
    rows.push(`| ${[name, seen, wrongs.join('; ') || 'none', `${seconds.toFixed(1)} s`].join(' | ')} |`);
    console.log(rows.at(-1));
  }
} finally {
  await scene.close();
  await world.close();
}
const page = `# Faults around the controller

Written by \`make controller-faults\`: ${measuredOn()}. Two controllers, of which one leads, and 20 feeds on a real API
server, broker and registry; the nodes are stand-ins ([decision 16](decisions/0016-how-scale-is-measured.md)). A wrong
action is a worker that was replaced, a Deployment or budget deleted, a topic or subject missing or made that no feed
asked for. The last column begins when the fault has ended: until a feed applied then, and all others, are Ready.

| what happened | what was seen | wrong actions | all Ready again after |
|---|---|---|---|
${rows.join('\n')}

${rows.length} faults, ${wrongActions} wrong actions.
`;
if (wanted === '') writeFileSync(new URL('../../docs/controller-faults.md', import.meta.url), page);
process.exit(wrongActions === 0 ? 0 : 1);
