// Every kind of fault there is.
import type { Fault } from '../fault.ts';
import { changeFaults } from './changes.ts';
import { clusterFaults } from './cluster.ts';
import { cutFaults } from './cuts.ts';
import { exchangeFaults } from './exchange.ts';
import { serviceFaults } from './services.ts';
import { workerFaults } from './workers.ts';

export const faults: readonly Fault[] = [
  ...workerFaults,
  ...changeFaults,
  ...serviceFaults,
  ...cutFaults,
  ...clusterFaults,
  ...exchangeFaults,
];
