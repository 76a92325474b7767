import { fitWidth } from './display-width.ts';
import type { OutputStream } from './output.ts';

const csi = '\x1b[';
/** Alternate screen, no cursor, no wrapping (xterm control sequences, DECSET 1049, 25, 7). */
const enterCodes = `${csi}?1049h${csi}?25l${csi}?7l`;
const leaveCodes = `${csi}?7h${csi}?25h${csi}?1049l`;
/** Terminals that know it show the frame at once (synchronized output, DECSET 2026); others ignore it. */
const beginFrame = `${csi}?2026h${csi}H`;
const endFrame = `${csi}J${csi}?2026l`;

/**
 * A full-screen view that is drawn over in place: each line is written over the former one and only then cleared to its
 * end, in one write, so that nothing flickers. What the terminal showed before comes back with `close`.
 */
export class Screen {
  readonly #stream: OutputStream;
  #last = '';

  constructor(stream: OutputStream) {
    this.#stream = stream;
    stream.write(enterCodes);
  }

  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  get rows(): number {
    return this.#stream.rows ?? 24;
  }

  /** Lines that do not fit in are counted in the last one. Lines must fit the width: only the last is cut here. */
  draw(lines: readonly string[]): void {
    const { rows } = this;
    const hidden = lines.length - rows;
    const shown = hidden > 0 ? [...lines.slice(0, rows - 1), fitWidth(`… ${hidden + 1} more`, this.columns)] : lines;
    const frame = shown.map((line) => `${line}${csi}K`).join('\r\n');
    // The size of the terminal counts too: another one needs another picture.
    const picture = `${this.columns}x${rows}\n${frame}`;
    if (picture === this.#last) return;
    this.#last = picture;
    this.#stream.write(`${beginFrame}${frame}${shown.length < rows ? '\r\n' : ''}${endFrame}`);
  }

  close(): void {
    this.#stream.write(leaveCodes);
  }
}
