import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

// ECMA-48 control sequences, character set selection, and single control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escape sequences begin with one
const unprintable = /\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[78=>c]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escape sequences begin with one
const unfinishedSequence = /\x1b(\[[0-9;?=]*|[()])?$/;

/**
 * Prints what a guest says on its console as it grows, without the sequences that would clear the screen of whoever
 * watches. Gives a function that prints the rest and stops.
 */
export function followConsole(file: string, print: (text: string) => void): () => void {
  const clean = createConsoleCleaner();
  const decoder = new StringDecoder('utf8');
  let offset = 0;
  const readMore = (): void => {
    if (!existsSync(file)) return;
    const fd = openSync(file, 'r');
    try {
      const buffer = Buffer.alloc(64 * 1024);
      for (let count = readSync(fd, buffer, 0, buffer.length, offset); count > 0; ) {
        offset += count;
        print(clean(decoder.write(buffer.subarray(0, count))));
        count = readSync(fd, buffer, 0, buffer.length, offset);
      }
    } finally {
      closeSync(fd);
    }
  };
  const timer = setInterval(readMore, 200);
  return () => {
    clearInterval(timer);
    readMore();
  };
}

/**
 * A function that takes a console's output piece by piece and gives it as plain lines: no escape sequences (also those
 * cut in two), no carriage returns, each line set in by two spaces.
 */
export function createConsoleCleaner(): (piece: string) => string {
  let held = '';
  let isLineStart = true;
  return (piece) => {
    const text = held + piece;
    // An escape sequence that has not ended waits for the next piece.
    const open = unfinishedSequence.exec(text);
    held = open?.[0] ?? '';
    const whole = open === null ? text : text.slice(0, open.index);
    const plain = whole.replace(unprintable, '');
    let out = '';
    for (const character of plain) {
      if (isLineStart && character !== '\n') out += '  ';
      out += character;
      isLineStart = character === '\n';
    }
    return out;
  };
}
