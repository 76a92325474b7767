import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { framebufferText, parsePpm } from './framebuffer-text.ts';
import type { Vm } from './qemu.ts';

/** Text mode of a VGA card: a window of 32 KiB, for each character its code and its colours (IBM VGA, mode 3). */
const window = { address: 0xb8000, sizeBytes: 0x8000, columns: 80 } as const;
/** Dots of a row in that mode: 80 characters of 9. */
const textModeWidth = 720;

/**
 * What a person reads on the guest's display, a line for each row, without empty ones: the screen, and in text mode (as
 * under SeaBIOS) the rows that have scrolled off it. What is no ASCII, and some letters of a framebuffer, become `?`.
 */
export async function screenText(vm: Vm): Promise<string> {
  const picture = join(vm.files.dir, 'screen.ppm');
  await vm.execute('screendump', { filename: picture, format: 'ppm' });
  const { width } = parsePpm(readFileSync(picture));
  if (width !== textModeWidth) return framebufferText(readFileSync(picture));
  const file = join(vm.files.dir, 'screen.bin');
  await vm.execute('pmemsave', { val: window.address, size: window.sizeBytes, filename: file });
  return decodeScreen(readFileSync(file), window.columns);
}

/** Rows of pairs of character and colour, as text. */
export function decodeScreen(cells: Uint8Array, columns: number): string {
  const characters = Array.from({ length: Math.floor(cells.length / 2) }, (_, index) => textOf(cells[index * 2] ?? 0));
  const rows: string[] = [];
  for (let at = 0; at < characters.length; at += columns) {
    rows.push(
      characters
        .slice(at, at + columns)
        .join('')
        .trimEnd(),
    );
  }
  return rows.filter((row) => row !== '').join('\n');
}

function textOf(code: number): string {
  if (code === 0) return ' ';
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '?';
}
