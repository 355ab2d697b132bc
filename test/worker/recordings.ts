// Finds the recorded frames of real exchanges. They are not part of the repository: K2_RECORDINGS says where they are.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export const recordingsFolder = process.env.K2_RECORDINGS ?? join(import.meta.dirname, '../../../shared/recordings');

/** Null: they are here; otherwise why tests of them are skipped. */
export const noRecordings = existsSync(recordingsFolder)
  ? null
  : `skipped: no recordings in ${recordingsFolder}; K2_RECORDINGS says where`;

/** One recording's file, as it is. */
export const readRecording = (path: string): Buffer => readFileSync(join(recordingsFolder, path));

/** The frames of one recording, byte for byte as they were received. */
export function readFrames(path: string): Buffer[] {
  const bytes = readRecording(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => Buffer.from((JSON.parse(line) as { frame: string }).frame));
}
