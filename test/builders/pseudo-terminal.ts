import type { ChildProcess } from 'node:child_process';
import { type Resources, waitFor } from '../resources.ts';
import { TerminalScreen } from './terminal-screen.ts';

export interface PseudoTerminalOptions {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly columns: number;
  readonly rows: number;
}

/** A program on a terminal of its own, by script(1); what is written to it is typed. */
export class PseudoTerminal {
  readonly screen: TerminalScreen;
  readonly exitCode: Promise<number | null>;
  /** Everything that the program wrote. */
  output = '';
  readonly #child: ChildProcess;

  constructor(resources: Resources, { command, env, columns, rows }: PseudoTerminalOptions) {
    this.screen = new TerminalScreen(columns, rows);
    const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const line = `stty cols ${columns} rows ${rows} && exec ${quoted}`;
    this.#child = resources.spawn('script', ['--quiet', '--flush', '--return', '--command', line, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
    });
    this.exitCode = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.screen.write(text);
    });
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until the screen shows the text, on one line. */
  async shows(text: RegExp, timeoutMs = 15_000): Promise<void> {
    const isShown = (): boolean => this.screen.lines.some((line) => text.test(line));
    await waitFor(`${text} on the screen`, isShown, { timeoutMs, intervalMs: 10 }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it shows:\n${this.screen.lines.join('\n')}`);
    });
  }
}
