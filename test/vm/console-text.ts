import { existsSync, readFileSync } from 'node:fs';

/** A console's log without escape sequences and carriage returns; empty where there is none. */
export function plainText(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'latin1') : '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escape sequences begin with one
  return text.replace(/\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\r/g, '');
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
