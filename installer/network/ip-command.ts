import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';

const timeoutMs = 10_000;

/** Runs `ip` of iproute2 (ip(8)). @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`. */
export async function ip(args: readonly string[], signal: AbortSignal): Promise<void> {
  await runCommand('ip', args, { signal, timeoutMs });
}

/** As `ip`; what cannot be done, because it is done or gone, is no failure. */
export async function tryIp(args: readonly string[], signal: AbortSignal): Promise<boolean> {
  const { exitCode } = await runCommand('ip', args, { signal, timeoutMs, okExitCodes: [0, 1, 2, 255] });
  return exitCode === 0;
}

/**
 * Runs several commands of one family with one start of `ip`, since starting a program is what takes time. As with `tryIp`,
 * what cannot be done is left out.
 */
export async function tryIpBatch(
  family: 4 | 6,
  commands: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<void> {
  if (commands.length === 0) return;
  const input = commands.map((words) => `${words.join(' ')}\n`).join('');
  const args = [`-${family}`, '-force', '-batch', '-'];
  await runCommand('ip', args, { signal, timeoutMs, input, okExitCodes: [0, 1, 2, 255] });
}

/** Runs `ip -json` and gives what it lists; nothing at all is an empty list. @throws ProvisionError as `ip`. */
export async function listWithIp<T>(args: readonly string[], entry: z.ZodType<T>, signal: AbortSignal): Promise<T[]> {
  const { stdout } = await runCommand('ip', ['-json', ...args], { signal, timeoutMs, okExitCodes: [0, 2] });
  const text = stdout.trim() === '' ? '[]' : stdout;
  const result = z.array(entry).safeParse(parseJson(text));
  if (result.success) return result.data;
  throw new ProvisionError('tool_failed', `ip ${args.join(' ')} prints something that cannot be read`, {
    cause: result.error,
  });
}

function parseJson(text: string): unknown {
  try {
    // A link that vanishes while ip lists it leaves an empty object.
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter((entry: object) => Object.keys(entry).length > 0) : value;
  } catch {
    return undefined;
  }
}
