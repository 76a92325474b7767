import { release } from 'node:os';
import type { StepContext } from '../types.ts';

/** syncfs(2), NOTES: "Since Linux 5.8, syncfs() will also report an error if an inode failed to be written". */
const firstThatTells = [5, 8] as const;

/** Before 5.8 the kernel drops write errors of files: the one defence is to read everything back. */
export function warnOfOldKernel(
  ctx: Pick<StepContext, 'warn'>,
  request: { readonly readBack: boolean },
  kernel = release(),
): void {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number);
  const tells = major > firstThatTells[0] || (major === firstThatTells[0] && minor >= firstThatTells[1]);
  if (tells || request.readBack) return;
  ctx.warn(
    `the kernel of this machine, ${kernel}, does not tell when a file could not be written to the disk, as kernels since 5.8 do: --read-back compares what is on the disk`,
    { kernel },
  );
}
