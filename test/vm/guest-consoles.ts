import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Resources } from '../resources.ts';
import { proofsOf } from './proof.ts';
import type { Vm } from './qemu.ts';

/**
 * For an overlay's hook: says on the proof port what stands on tty1 whenever it has changed. The kernel gives it as
 * text whatever draws it, VGA text mode or a frame buffer (vcs(4)).
 */
export const screenHook = `
  tell_screen() {
    # shellcheck disable=SC2046
    set -- $(od -An -tu1 -N2 /dev/vcsa1) "$(base64 /dev/vcs1 | tr -d '\\n')"
    [ "$3" = "$shown" ] || prove screen "{\\"rows\\":$1,\\"columns\\":$2,\\"cells\\":\\"$3\\"}"
    shown=$3
  }
  (set +e; shown=; while :; do tell_screen; sleep 1; done) &
`;

const screenSchema = z.object({ rows: z.int(), columns: z.int(), cells: z.base64() });

/** Where pictures of a failed test are kept: a run removes its own temporary folder. */
const keptPictures = '/var/tmp';

/** What a person in front of a guest is told, on its screen (which needs `screenHook`) and on its serial line. */
export class GuestConsoles {
  readonly #vm: Vm;
  /** A folder of the developer's own, where pictures stay also when nothing fails, if the environment names one. */
  readonly #pictures: string;
  #serialFrom = 0;
  #count = 0;

  constructor(resources: Resources, vm: Vm) {
    this.#vm = vm;
    this.#pictures = process.env['DURANTIC_PICTURES'] ?? resources.tempDir();
  }

  /** What stands on the screen now, row by row; empty before the hook has said it. */
  get screen(): string {
    const { proofFile } = this.#vm.files;
    const text = existsSync(proofFile) ? readFileSync(proofFile, 'utf8') : '';
    const last = [...proofsOf(text, this.#vm.nonce)].findLast(({ test }) => test === 'screen');
    return last === undefined ? '' : textOf(screenSchema.parse(last.facts));
  }

  /** What was said on the serial line since `forget`. */
  get serial(): string {
    return this.#vm.console.slice(this.#serialFrom);
  }

  /** What the serial line has said so far does not count any more. */
  forget(): void {
    this.#serialFrom = this.#vm.console.length;
  }

  /**
   * Waits until the screen shows each sentence and the serial line has said it, and gives the screen. Blanks and line
   * ends count as one blank, since a screen has 80 columns. A failure names a folder with pictures of the screen.
   */
  async both(sentences: readonly RegExp[], options: { readonly timeoutMs: number }): Promise<string> {
    const missing = (): string[] =>
      sentences.flatMap((sentence) => [
        ...(sentence.test(flat(this.screen)) ? [] : [`${sentence} on the screen`]),
        ...(sentence.test(flat(this.serial)) ? [] : [`${sentence} on the serial line`]),
      ]);
    return await this.#until(sentences.join(' and '), () => missing().length === 0, missing, options);
  }

  /** Waits until none of the sentences stands on the screen. */
  async gone(sentences: readonly RegExp[], options: { readonly timeoutMs: number }): Promise<string> {
    const left = (): string[] => sentences.filter((each) => each.test(flat(this.screen))).map(String);
    const isGone = (): boolean => this.screen !== '' && left().length === 0;
    return await this.#until(`${sentences.join(' and ')} to disappear`, isGone, left, options);
  }

  async #until(
    what: string,
    condition: () => boolean,
    missing: () => readonly string[],
    options: { readonly timeoutMs: number },
  ): Promise<string> {
    try {
      await this.#vm.waitUntil(what, condition, options);
      await this.#takePicture();
      return this.screen;
    } catch (cause) {
      if (!this.#vm.hasEnded) await this.#takePicture();
      const state = `missing: ${missing().join('; ')}\nthe screen:\n${this.screen}\npictures: ${this.#keepPictures()}`;
      throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${state}`, { cause });
    }
  }

  async #takePicture(): Promise<void> {
    this.#count += 1;
    const name = `${this.#vm.name}-${this.#vm.pid}-${String(this.#count).padStart(2, '0')}.png`;
    await this.#vm.screenshot(join(this.#pictures, name));
  }

  #keepPictures(): string {
    const dir = mkdtempSync(join(keptPictures, 'durantic-screens-'));
    for (const name of readdirSync(this.#pictures)) copyFileSync(join(this.#pictures, name), join(dir, name));
    return dir;
  }
}

/** Row by row: a cell is the number of a character in the console's font, which is ASCII where it is printable. */
function textOf({ rows, columns, cells }: z.infer<typeof screenSchema>): string {
  const text = Buffer.from(cells, 'base64').toString('latin1');
  const lines = Array.from({ length: rows }, (_, row) => text.slice(row * columns, (row + 1) * columns).trimEnd());
  return lines.join('\n').trimEnd();
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ');
}
