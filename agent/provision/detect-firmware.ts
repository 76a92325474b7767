import { existsSync } from 'node:fs';

/** How this machine was started: the kernel makes /sys/firmware/efi only under UEFI. */
export function detectFirmware(sysRoot = '/sys'): 'bios' | 'uefi' {
  return existsSync(`${sysRoot}/firmware/efi`) ? 'uefi' : 'bios';
}
