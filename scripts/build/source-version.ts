import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { repoDir } from './paths.ts';

export interface SourceVersion {
  /** Of package.json. */
  readonly version: string;
  /** Commit id, `-dirty` where the tree differs from it, `unknown` outside a git work tree. */
  readonly commit: string;
  /** Seconds since 1970: SOURCE_DATE_EPOCH, else the commit's time, else 0. */
  readonly epochSec: number;
}

/** What is being built, as it goes into the binary. */
export async function sourceVersion(): Promise<SourceVersion> {
  const { version } = JSON.parse(readFileSync(join(repoDir, 'package.json'), 'utf8')) as { version: string };
  const head = await git(['log', '-1', '--format=%H %ct']);
  const [commit, commitTime] = head?.split(' ') ?? [];
  const isDirty = (await git(['status', '--porcelain'])) !== '';
  const epoch = process.env['SOURCE_DATE_EPOCH'] || commitTime || '0';
  if (!/^\d+$/.test(epoch)) throw new Error(`SOURCE_DATE_EPOCH is not a number of seconds: ${epoch}`);
  return {
    version,
    commit: commit === undefined ? 'unknown' : `${commit}${isDirty ? '-dirty' : ''}`,
    epochSec: Number(epoch),
  };
}

async function git(args: readonly string[]): Promise<string | undefined> {
  const result = await runCommand('git', ['-C', repoDir, ...args], { okExitCodes: [0, 128] });
  return result.exitCode === 0 ? result.stdout.trim() : undefined;
}
