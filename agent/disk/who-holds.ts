import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Names of the processes that have a disk or one of its partitions open, ours excepted: `systemd-udevd (pid 312)`.
 * Best effort, for messages.
 */
export async function whoHolds(path: string): Promise<string[]> {
  const names: string[] = [];
  for (const pid of await processIds()) {
    if (await hasOpen(pid, path)) names.push(await processName(pid));
  }
  return names;
}

/** Names of the processes that hold a lock (flock) on a device node; from /proc/locks (proc(5)). */
export async function whoLocks(path: string): Promise<string[]> {
  const [locks, node] = await Promise.all([
    readFile('/proc/locks', 'utf8').catch(() => ''),
    stat(path).catch(() => null),
  ]);
  if (node === null) return [];
  const names: string[] = [];
  for (const line of locks.split('\n')) {
    const [, , , , pid, file] = line.replace(/->\s*/, '').split(/\s+/);
    if (file?.endsWith(`:${node.ino}`) !== true || pid === undefined || Number(pid) === process.pid) continue;
    names.push(await processName(pid));
  }
  return names;
}

async function processIds(): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
}

async function hasOpen(pid: string, path: string): Promise<boolean> {
  const folder = join('/proc', pid, 'fd');
  for (const fd of await readdir(folder).catch(() => [])) {
    const link = await readlink(join(folder, fd)).catch(() => '');
    if (link.startsWith(path) && /^(p?\d+)?$/.test(link.slice(path.length))) return true;
  }
  return false;
}

async function processName(pid: string): Promise<string> {
  const name = await readFile(join('/proc', pid, 'comm'), 'utf8').catch(() => '');
  return name.trim() === '' ? `pid ${pid}` : `${name.trim()} (pid ${pid})`;
}
