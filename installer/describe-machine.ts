import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HardwareOptions } from '../agent/hardware/collect-facts.ts';
import { readLoad } from '../agent/hardware/read-load.ts';
import { readSmbios } from '../agent/hardware/smbios.ts';
import { realRoots } from '../agent/hardware/sysfs.ts';
import { buildInfo } from '../core/base/build-info.ts';
import type { InstallerEvent } from './state/installer-events.ts';

const longestCrashCharacters = 2000;

/** The first event of all: what starts where, and how the start before this one ended. */
export async function describeStart(
  runDir: string,
  parameterProblems: readonly string[],
  hardware: HardwareOptions = {},
): Promise<Extract<InstallerEvent, { kind: 'started' }>> {
  const roots = { ...realRoots, ...hardware.roots };
  return {
    kind: 'started',
    version: buildInfo().version,
    machine: {
      vendor: await readSmbios(roots, 'sys_vendor'),
      product: await readSmbios(roots, 'product_name'),
      serial: await readSmbios(roots, 'product_serial'),
      smbiosUuid: await readSmbios(roots, 'product_uuid'),
    },
    memoryBytes: (await readLoad(roots)).memory_total_bytes,
    parameterProblems,
    crash: readCrash(join(runDir, 'crash')),
  };
}

/** Written by whoever starts the installer anew; absent at the first start. */
function readCrash(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? null : text.slice(-longestCrashCharacters);
  } catch {
    return null;
  }
}
