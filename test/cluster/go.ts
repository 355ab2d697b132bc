// Go programs that the test bed runs, each from a module of its own under test/cluster, so that go.sum pins every byte.
import { join } from 'node:path';
import type { Artifact } from './artifact.ts';
import { run } from './command.ts';

export interface GoProgram {
  /** Of the artifact and of the executable in it. */
  name: string;
  title: string;
  /** Folder of the module: go.mod, go.sum, sources. */
  module: string;
  /** Package to build, `.` by default. */
  package?: string;
  ldflags?: string;
  /** Other names under which the executable is called, made as symbolic links. */
  links?: readonly string[];
  /** Arguments with which the program must end with exit code 0. */
  tryOut: readonly string[];
}

/** "go1.26.8"; undefined where there is no Go. */
export async function goOnPath(): Promise<string | undefined> {
  return run(['go', 'env', 'GOVERSION']).then(
    (version) => version.trim(),
    () => undefined,
  );
}

/** A static executable at `<folder>/<name>`. */
export async function goArtifact(program: GoProgram): Promise<Artifact> {
  const ldflags = `-s -w ${program.ldflags ?? ''}`.trim();
  return {
    name: program.name,
    title: program.title,
    whatNext: 'Go 1.26 or newer must be on PATH and its module proxy reachable; then run the same command again.',
    files: [program.module],
    values: {
      go: `${await goOnPath()} ${process.arch}`,
      ldflags,
      package: program.package ?? '.',
      links: program.links?.join(' ') ?? '',
    },
    async build(folder, step) {
      const out = join(folder, program.name);
      const command = ['go', 'build', '-trimpath', '-buildvcs=false', '-v', '-ldflags', ldflags, '-o', out];
      // -v names each package as it is compiled: that is the progress of a long build.
      await step.run([...command, program.package ?? '.'], {
        cwd: program.module,
        env: { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off' },
      });
      for (const link of program.links ?? []) await step.run(['ln', '-s', program.name, join(folder, link)]);
    },
    async verify(folder) {
      await run([join(folder, program.name), ...program.tryOut]);
    },
  };
}
