import { closeSync, constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';

/**
 * What is typed at a terminal, key by key, without echo; `^C` is a character like any other. The terminal does not become
 * this process's own. A terminal from which nothing can be read any more is silent from then on.
 * Null for one that cannot be opened, or that is no terminal: it is still written to.
 */
export function openKeyboard(path: string, onInput: (text: string) => void): Disposable | null {
  const stream = openTerminal(path);
  if (stream === null) return null;
  stream.on('error', () => stream.destroy());
  // Only flags are changed: speed, parity and flow control stay as they are (set-up-line.ts).
  stream.setRawMode(true);
  stream.setEncoding('latin1');
  stream.on('data', (text: string) => onInput(text));
  return {
    [Symbol.dispose]: () => {
      if (stream.destroyed) return;
      stream.setRawMode(false);
      stream.destroy();
    },
  };
}

function openTerminal(path: string): ReadStream | null {
  let fd: number | null = null;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    return new ReadStream(fd);
  } catch {
    if (fd !== null) closeSync(fd);
    return null;
  }
}
