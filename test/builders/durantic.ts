import { join } from 'node:path';
import { type CommandResult, runCommand } from '../../core/base/run-command.ts';

const repoDir = new URL('../../', import.meta.url).pathname;
const anyExitCode = Array.from({ length: 256 }, (_, code) => code);

/** The program from source: whatever it ends with is given back. */
export async function durantic(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const node = join(repoDir, 'node_modules/.bin/node');
  return await runCommand(node, ['--disable-warning=ExperimentalWarning', join(repoDir, 'cli/main.ts'), ...args], {
    env,
    okExitCodes: anyExitCode,
    timeoutMs: 30_000,
  });
}
