// What both services have in common: a JVM that starts fast, and an archive of its loaded classes (AppCDS) that makes
// it start twice as fast (https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html).
import { run } from '../cluster/command.ts';

/** One core's worth of garbage collection and compilation: these are small programs beside what is under test. */
export const smallJvm = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

const archiveName = 'classes.jsa';
/** Written when the program that runs with it ends. */
export const recordClasses = [`-XX:ArchiveClassesAtExit=${archiveName}`, '-Xlog:cds=off'];
/** The JVM goes on without an archive that does not fit it. Its path, as the jars', is relative to the artifact. */
export const useClasses = [`-XX:SharedArchiveFile=${archiveName}`, '-Xshare:auto', '-Xlog:cds=off'];

/** Arguments of setpriv: the kernel kills the program when the process that started it ends, even by SIGKILL. */
export const endsWithUs = ['--pdeathsig', 'KILL'];

/** The JVM on PATH, in one line: an archive of classes fits only the JVM that wrote it. */
export async function javaVersion(): Promise<string> {
  return (await run(['java', '--version']).catch(() => 'none')).replaceAll('\n', ' ').trim();
}
