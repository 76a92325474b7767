import { Readable } from 'node:stream';
import { execa } from 'execa';
import { checkedExitCode, processOptions, type RunCommandOptions } from './run-command.ts';

/**
 * The standard output of a program as a stream, without holding it in memory. It ends only when the program has ended
 * as it should; destroying the stream ends the program.
 * Stream errors: ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export function streamCommand(
  file: string,
  args: readonly string[],
  options: Omit<RunCommandOptions, 'input'> = {},
): Readable {
  return Readable.from(outputOf(file, args, options), { objectMode: false });
}

async function* outputOf(
  file: string,
  args: readonly string[],
  options: Omit<RunCommandOptions, 'input'>,
): AsyncGenerator<Buffer> {
  const child = execa(file, args, {
    ...processOptions(options),
    stdin: 'ignore',
    encoding: 'buffer',
    buffer: { stdout: false, stderr: true },
  });
  let isOver = false;
  try {
    // A program that cannot be started has no output stream to read.
    if (child.stdout !== undefined) for await (const chunk of child.stdout) yield chunk as Buffer;
    const result = await child;
    isOver = true;
    checkedExitCode(file, args, { ...result, stderr: Buffer.from(result.stderr ?? []).toString('utf8') }, options);
  } finally {
    if (!isOver) {
      child.kill();
      await child;
    }
  }
}
