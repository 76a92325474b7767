import { Readable } from 'node:stream';
import { execa } from 'execa';
import { checkedExitCode, processOptions, type RunCommandOptions } from './run-command.ts';

/**
 * The standard output of a program as a stream, without holding it in memory. It ends only when the program has ended
 * as it should; destroying the stream, or the signal, ends the program. Its own children may live on and hold the pipe:
 * they are not waited for then.
 * Stream errors: ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export function streamCommand(
  file: string,
  args: readonly string[],
  options: Omit<RunCommandOptions, 'input'> = {},
): Readable {
  const ending = new AbortController();
  const stream = Readable.from(outputOf(file, args, { options, ended: ending.signal }), { objectMode: false });
  const destroy = stream._destroy;
  // Readable.from waits for the chunk that it has asked for, which a silent program never sends.
  stream._destroy = (error, done) => {
    ending.abort();
    destroy.call(stream, error, done);
  };
  return stream;
}

async function* outputOf(
  file: string,
  args: readonly string[],
  { options, ended }: { readonly options: Omit<RunCommandOptions, 'input'>; readonly ended: AbortSignal },
): AsyncGenerator<Buffer> {
  const child = execa(file, args, {
    ...processOptions(options),
    stdin: 'ignore',
    encoding: 'buffer',
    buffer: { stdout: false, stderr: true },
  });
  let isOver = false;
  const end = (): void => {
    child.kill();
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const ends = [ended, options.signal].filter((signal) => signal !== undefined);
  for (const signal of ends) signal.addEventListener('abort', end, { once: true });
  if (ends.some(({ aborted }) => aborted)) end();
  try {
    // A program that cannot be started has no output stream to read.
    if (child.stdout !== undefined) {
      try {
        for await (const chunk of child.stdout) yield chunk as Buffer;
      } catch (error) {
        // Closed by `end`: what the program's own end says is the reason.
        if (!ends.some(({ aborted }) => aborted)) throw error;
      }
    }
    const result = await child;
    isOver = true;
    checkedExitCode(file, args, { ...result, stderr: Buffer.from(result.stderr ?? []).toString('utf8') }, options);
  } finally {
    for (const signal of ends) signal.removeEventListener('abort', end);
    if (!isOver) {
      end();
      await child;
    }
  }
}
