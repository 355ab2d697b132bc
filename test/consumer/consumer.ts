// The independent consumer, built once: Java libraries by Maven, and Consumer.java compiled.
import { join } from 'node:path';
import type { Artifact } from '../cluster/artifact.ts';
import { javaVersion } from '../services/java.ts';

const source = import.meta.dirname;

export async function consumer(): Promise<Artifact> {
  return {
    name: 'consumer',
    title: 'Independent consumer in Java (libraries by Maven)',
    whatNext: 'a JDK (17 or newer) and Maven must be on PATH, and Maven must reach a mirror of the central repository.',
    files: [join(source, 'pom.xml'), join(source, 'Consumer.java')],
    values: { java: await javaVersion() },
    async build(folder, step) {
      const maven = ['mvn', '--batch-mode', '--no-transfer-progress', '-f', join(source, 'pom.xml')];
      const libs = join(folder, 'libs');
      await step.run([...maven, 'dependency:copy-dependencies', `-DoutputDirectory=${libs}`, '-DincludeScope=runtime']);
      await step.run(['javac', '-cp', `${libs}/*`, '-d', folder, join(source, 'Consumer.java')]);
    },
  };
}

/** Arguments of `java` that run it from its artifact's folder. */
export function consumerCommand(folder: string, ...args: string[]): string[] {
  return ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${folder}:${folder}/libs/*`, 'Consumer', ...args];
}
