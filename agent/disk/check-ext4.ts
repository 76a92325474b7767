import { ProvisionError } from '../../core/base/errors.ts';
import { type CommandResult, runCommand } from '../../core/base/run-command.ts';
import type { DiskContext } from './types.ts';

/** Exit status of e2fsck(8): bits for "corrected" (1, 2); every other bit means that it did not end well. */
const correctedBits = 0b11;
const everyExitCode = Array.from({ length: 256 }, (_, code) => code);
const shownCharacters = 2000;

/**
 * Checks an unmounted ext filesystem and repairs it: `e2fsck -fp`, which mends what is harmless, then `-fy` (failure row
 * F44). resize2fs and tune2fs want a filesystem that has just been checked.
 * @returns what was mended, for a warning; null when there was nothing but a journal to be replayed.
 * @throws ProvisionError `filesystem_unfixable`, `tool_missing`.
 */
export async function checkExt4(device: string, ctx: DiskContext): Promise<string | null> {
  const preened = await run('-fp', device, ctx);
  if (isWell(preened)) return (preened.exitCode & correctedBits) === 0 ? null : 'small damage was mended by e2fsck -fp';
  ctx.log.warn(
    { device, exit_code: preened.exitCode, stdout: preened.stdout.slice(-shownCharacters) },
    'e2fsck -fp gave up',
  );
  const repaired = await run('-fy', device, ctx);
  if (!isWell(repaired)) throw unfixable(device, repaired);
  return 'damage was mended by e2fsck -fy; files may be missing';
}

/**
 * Looks once more, changing nothing.
 * @throws ProvisionError `filesystem_unfixable` when it is not clean.
 */
export async function assertExt4Clean(device: string, ctx: DiskContext): Promise<void> {
  const result = await run('-fn', device, ctx);
  if (result.exitCode !== 0) throw unfixable(device, result);
}

async function run(mode: string, device: string, ctx: DiskContext): Promise<CommandResult> {
  return await runCommand('e2fsck', [mode, device], { signal: ctx.signal, okExitCodes: everyExitCode });
}

function isWell(result: CommandResult): boolean {
  return (result.exitCode & ~correctedBits) === 0;
}

function unfixable(device: string, result: CommandResult): ProvisionError {
  const said = `${result.stdout}\n${result.stderr}`.trim();
  return new ProvisionError('filesystem_unfixable', `e2fsck cannot bring the filesystem on ${device} in order`, {
    facts: { device, exit_code: result.exitCode, output: said.slice(-shownCharacters) },
  });
}
