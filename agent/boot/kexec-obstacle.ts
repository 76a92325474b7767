import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where facts are read from; injectable for tests. */
export interface KexecFacts {
  readonly sysDir: string;
  readonly procDir: string;
}

const secureBootVariable = 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
const nvidiaVendor = '0x10de';

/**
 * Why this machine cannot start another kernel by kexec, or null (provisioning.md, "Boot"; failure row F55): lockdown or
 * Secure Boot, kexec switched off, a display adapter of NVIDIA (its firmware state does not survive), too little memory
 * for both systems.
 */
export function kexecObstacle(
  neededBytes: number,
  facts: KexecFacts = { sysDir: '/sys', procDir: '/proc' },
): string | null {
  const lockdown = /\[(\w+)\]/.exec(readOr(join(facts.sysDir, 'kernel/security/lockdown'), ''))?.[1] ?? 'none';
  if (lockdown !== 'none') return `the kernel is locked down (${lockdown})`;
  if (isSecureBoot(facts.sysDir)) return 'Secure Boot is on';
  if (readOr(join(facts.procDir, 'sys/kernel/kexec_load_disabled'), '0').trim() === '1') {
    return 'kexec is switched off in this kernel (kexec_load_disabled)';
  }
  if (hasNvidiaDisplay(facts.sysDir)) return 'the machine has an NVIDIA display adapter, which does not survive kexec';
  const availableBytes = memoryBytes('MemAvailable', facts);
  if (availableBytes !== null && availableBytes < neededBytes) {
    return `${toMib(availableBytes)} MiB of memory are available, kexec needs ${toMib(neededBytes)} MiB`;
  }
  return null;
}

/** The variable's first four bytes are its attributes (efivarfs). */
export function isSecureBoot(sysDir = '/sys'): boolean {
  try {
    return readFileSync(join(sysDir, 'firmware/efi/efivars', secureBootVariable))[4] === 1;
  } catch {
    return false;
  }
}

/** A line of /proc/meminfo; null where there is none. */
export function memoryBytes(
  name: 'MemTotal' | 'MemAvailable',
  { procDir }: Pick<KexecFacts, 'procDir'>,
): number | null {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readOr(join(procDir, 'meminfo'), ''))?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}

function hasNvidiaDisplay(sysDir: string): boolean {
  const devices = join(sysDir, 'bus/pci/devices');
  return listOr(devices).some((device) => {
    const isDisplay = readOr(join(devices, device, 'class'), '').startsWith('0x03');
    return isDisplay && readOr(join(devices, device, 'vendor'), '').trim() === nvidiaVendor;
  });
}

function listOr(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

function toMib(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024);
}
