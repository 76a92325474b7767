import { closeSync, constants, openSync } from 'node:fs';
import { WriteStream } from 'node:tty';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

const usual: TerminalSize = { columns: 80, rows: 24 };

/** The size that the terminal says it has, 80x24 where it says nothing; asked anew each time: a framebuffer may come late. */
export function terminalSize(path: string): TerminalSize {
  let fd: number | null = null;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
    const stream = new WriteStream(fd);
    // From here on it is the stream's.
    fd = null;
    const { columns, rows } = stream;
    stream.destroy();
    return columns > 0 && rows > 0 ? { columns, rows } : usual;
  } catch {
    if (fd !== null) closeSync(fd);
    return usual;
  }
}
