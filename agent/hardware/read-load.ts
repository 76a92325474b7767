import { join } from 'node:path';
import { readAttribute, realRoots, type SystemRoots } from './sysfs.ts';

export interface SystemLoad {
  readonly uptime_seconds: number;
  /** Over 1, 5 and 15 minutes. */
  readonly load: [number, number, number];
  readonly memory_total_bytes: number;
  readonly memory_available_bytes: number;
}

/** What a heartbeat says of a machine, from procfs (proc(5)); zeros where it cannot be read. */
export async function readLoad(roots: Partial<SystemRoots> = {}): Promise<SystemLoad> {
  const { procRoot } = { ...realRoots, ...roots };
  const read = async (name: string): Promise<string> => (await readAttribute(join(procRoot, name))) ?? '';
  const [oneMinute = 0, fiveMinutes = 0, quarter = 0] = (await read('loadavg')).split(' ').slice(0, 3).map(toNumber);
  const memory = await read('meminfo');
  const bytesOf = (field: string): number =>
    toNumber(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(memory)?.[1]) * 1024;
  return {
    uptime_seconds: toNumber((await read('uptime')).split(' ')[0]),
    load: [oneMinute, fiveMinutes, quarter],
    memory_total_bytes: bytesOf('MemTotal'),
    memory_available_bytes: bytesOf('MemAvailable'),
  };
}

/** The kernel's id of this boot. */
export async function readBootId(roots: Partial<SystemRoots> = {}): Promise<string | null> {
  const { procRoot } = { ...realRoots, ...roots };
  return await readAttribute(join(procRoot, 'sys/kernel/random/boot_id'));
}

function toNumber(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isFinite(value) && value >= 0 ? value : 0;
}
