import { plainLine } from '../../core/base/plain-text.ts';

/** What our own sentences have beyond ASCII, and what vendors and registries like to use. */
const spellings: Readonly<Record<string, string>> = {
  '…': '...',
  '–': '-',
  '—': '-',
  '−': '-',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '„': '"',
  '→': '->',
  '×': 'x',
  '·': '-',
  '•': '*',
  '\u00a0': ' ',
  ß: 'ss',
  æ: 'ae',
  ø: 'o',
  '®': '(R)',
  '™': '(TM)',
  '©': '(C)',
  µ: 'u',
};

/**
 * One line that every console can show, of whatever font: control characters written out, accents left out, the rest
 * beyond ASCII as `?`.
 */
export function asciiText(text: string): string {
  return plainLine(text)
    .replaceAll(/[^\x20-\x7e]/gu, (character) => spellings[character] ?? character)
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^\x20-\x7e]/gu, '?');
}

/** At most `columns` characters of ASCII; what is cut ends in `...`. */
export function shortText(text: string, columns: number): string {
  const ascii = asciiText(text);
  if (ascii.length <= columns) return ascii;
  return columns <= 3 ? ascii.slice(0, Math.max(0, columns)) : `${ascii.slice(0, columns - 3).trimEnd()}...`;
}

/** The words in lines of at most `columns` characters; a word that is longer is cut into pieces. */
export function wrapText(text: string, columns: number): string[] {
  const width = Math.max(1, columns);
  const lines: string[] = [];
  let line = '';
  for (const word of asciiText(text)
    .split(' ')
    .filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}
