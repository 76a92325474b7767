import type { AbsentFirmware } from './firmware-choice.ts';

export interface WantedFirmware {
  /** Name of the driver, as modules.builtin.modinfo has it. */
  readonly module: string;
  /** Below /lib/firmware. */
  readonly path: string;
}

/**
 * What the built-in drivers ask for: `MODULE_FIRMWARE()` leaves `driver.firmware=path` in the kernel's
 * modules.builtin.modinfo (include/linux/moduleparam.h, scripts/Makefile.vmlinux), zero-terminated.
 */
export function parseWantedFirmware(modinfo: string): WantedFirmware[] {
  const entries = modinfo.split('\0').flatMap((line) => {
    const [, module, path] = /^(\w+)\.firmware=(.+)$/.exec(line) ?? [];
    return module === undefined || path === undefined ? [] : [{ module, path }];
  });
  return entries.sort((one, other) => (key(one) < key(other) ? -1 : 1));
}

export interface FirmwareChoice {
  readonly taken: readonly WantedFirmware[];
  readonly absent: readonly (WantedFirmware & { readonly why: AbsentFirmware })[];
}

/**
 * Divides what is wanted into what is taken and what the table says is not.
 * @throws Error for an entry of the table that matches nothing any more.
 */
export function chooseFirmware(wanted: readonly WantedFirmware[], table: readonly AbsentFirmware[]): FirmwareChoice {
  const isMeant = (entry: AbsentFirmware, file: WantedFirmware): boolean =>
    entry.module === file.module && entry.files.exec(file.path)?.[0] === file.path;
  const pointless = table.filter((entry) => !wanted.some((file) => isMeant(entry, file)));
  if (pointless.length > 0) {
    const names = pointless.map(({ module, files }) => `${module} ${files.source}`).join(', ');
    throw new Error(`firmware-choice.ts speaks of files that no driver asks for: ${names}`);
  }
  const absent = wanted.flatMap((file) => {
    const why = table.find((entry) => isMeant(entry, file));
    return why === undefined ? [] : [{ ...file, why }];
  });
  const absentKeys = new Set(absent.map(key));
  return { taken: wanted.filter((file) => !absentKeys.has(key(file))), absent };
}

function key({ module, path }: WantedFirmware): string {
  return `${module} ${path}`;
}
