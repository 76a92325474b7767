import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { ProvisionError } from '../base/errors.ts';

/** Text of a file, or of standard input for `-`. @throws ProvisionError `usage`. */
export async function readText(file: string, stdin: NodeJS.ReadStream): Promise<string> {
  if (file === '-') return await text(stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new ProvisionError('usage', `the file ${file} cannot be read`, { cause });
  }
}
