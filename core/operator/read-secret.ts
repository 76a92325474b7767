import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { ProvisionError } from '../base/errors.ts';
import { readText } from './read-text.ts';

export interface SecretSource {
  /** A file, `-` for standard input, undefined: asked on the terminal, else standard input. */
  readonly file: string | undefined;
  readonly prompt: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stderr: NodeJS.WriteStream;
  readonly signal: AbortSignal;
}

/**
 * A value that must not be in argv, where every user of the machine can read it. One line end at its end is left out:
 * editors and `echo` put it there.
 * @throws ProvisionError `usage` when it cannot be read or is empty, `aborted`.
 */
export async function readSecret(source: SecretSource): Promise<string> {
  const value = (await readFrom(source)).replace(/\r?\n$/, '');
  if (value === '') throw new ProvisionError('usage', `${source.prompt} is empty`);
  return value;
}

async function readFrom({ file, prompt, stdin, stderr, signal }: SecretSource): Promise<string> {
  if (file === undefined && stdin.isTTY === true) return await askHidden({ prompt, stdin, stderr, signal });
  return await readText(file ?? '-', stdin);
}

async function askHidden(options: Omit<SecretSource, 'file'>): Promise<string> {
  const { prompt, stdin, stderr, signal } = options;
  // A terminal interface on an output that shows nothing: line editing works, the value stays unseen.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true });
  stderr.write(`${prompt}: `);
  try {
    return await new Promise<string>((resolve, reject) => {
      const stop = (): void => reject(new ProvisionError('aborted', 'nothing was typed'));
      lines.once('line', resolve);
      lines.once('SIGINT', stop);
      lines.once('close', stop);
      signal.addEventListener('abort', stop, { once: true });
    });
  } finally {
    lines.close();
    stderr.write('\n');
  }
}
