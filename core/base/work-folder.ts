import { mkdtempSync, readlinkSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a program's folder for its own work is for; the kind is part of its name. */
export type WorkFolderKind = 'root' | 'look' | 'esp' | 'bundle' | 'notes' | 'shadow' | 'aside';

/**
 * Makes a folder (0700) that lives no longer than a piece of work, named after its kind and this process, so that it can be
 * told whose it is when the process was killed.
 * @param parent Default: the folder for temporary files.
 */
export function makeWorkFolder(kind: WorkFolderKind, parent = tmpdir()): string {
  return mkdtempSync(join(realpathSync(parent), `durantic-${kind}-${process.pid}-`));
}

/** Whose work folder that name is of: a process id; null for any other name. */
export function ownerOfWorkFolder(name: string): number | null {
  const pid = /^durantic-[a-z]+-(\d+)-[^-]+$/.exec(name)?.[1];
  return pid === undefined ? null : Number(pid);
}

/** Whether another process of this very program has that id (proc_pid_exe(5); a zombie has no program any more). */
export function isOtherProcessOfOurs(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return readlinkSync(`/proc/${pid}/exe`) === readlinkSync('/proc/self/exe');
  } catch {
    return false;
  }
}
