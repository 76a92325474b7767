import { join } from 'node:path';
import { listNames, readAttribute, type SystemRoots } from './sysfs.ts';

export interface Processor {
  readonly model: string | null;
  readonly sockets: number | null;
  readonly cores: number | null;
  readonly threads: number | null;
}

/** Processors that are online, from /proc/cpuinfo and the topology in sysfs (Documentation/admin-guide/cputopology.rst). */
export async function readProcessor(roots: SystemRoots): Promise<Processor> {
  const cpuinfo = (await readAttribute(join(roots.procRoot, 'cpuinfo'))) ?? '';
  const folder = join(roots.sysRoot, 'devices/system/cpu');
  const sockets = new Set<string>();
  const cores = new Set<string>();
  for (const name of (await listNames(folder)).filter((each) => /^cpu\d+$/.test(each))) {
    const socket = await readAttribute(join(folder, name, 'topology/physical_package_id'));
    const core = await readAttribute(join(folder, name, 'topology/core_id'));
    if (socket === null || core === null) continue;
    sockets.add(socket);
    // Dies of one package may number their cores alike.
    const die = (await readAttribute(join(folder, name, 'topology/die_id'))) ?? '0';
    cores.add(`${socket}/${die}/${core}`);
  }
  const threads = cpuinfo.match(/^processor\s*:/gm)?.length ?? 0;
  return {
    model: /^model name\s*:\s*(.+)$/m.exec(cpuinfo)?.[1]?.replaceAll(/\s+/g, ' ').trim().slice(0, 256) ?? null,
    sockets: sockets.size === 0 ? null : sockets.size,
    cores: cores.size === 0 ? null : cores.size,
    threads: threads === 0 ? null : threads,
  };
}

/** Whether the processor says that it is a virtual one (CPUID leaf 1, ECX bit 31). */
export async function hasHypervisorFlag(roots: SystemRoots): Promise<boolean> {
  const cpuinfo = (await readAttribute(join(roots.procRoot, 'cpuinfo'))) ?? '';
  return /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo);
}
