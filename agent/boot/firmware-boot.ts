/** A boot entry of the firmware. */
export interface FirmwareEntry {
  /** `0003` */
  readonly number: string;
  readonly label: string;
  readonly devicePath: string;
}

/** What the firmware's boot variables say. */
export interface FirmwareBoot {
  readonly entries: readonly FirmwareEntry[];
  /** The entry that the running system was started by. */
  readonly bootCurrent: string | null;
  readonly bootNext: string | null;
  readonly bootOrder: readonly string[];
}

/** Entries with this name start the installer once and are removed afterwards. */
export const bootEntryLabel = 'Durantic installer (once)';

/** The output of `efibootmgr --verbose`. */
export function parseFirmwareBoot(text: string): FirmwareBoot {
  return {
    entries: parseEfibootmgr(text),
    bootCurrent: /^BootCurrent: ([0-9A-F]{4})$/im.exec(text)?.[1] ?? null,
    bootNext: /^BootNext: ([0-9A-F]{4})$/im.exec(text)?.[1] ?? null,
    bootOrder: /^BootOrder: ([0-9A-F,]+)$/im.exec(text)?.[1]?.split(',') ?? [],
  };
}

/** Lines such as `Boot0003* debian	HD(1,GPT,1a2b…,0x800,0x82000)/File(\EFI\debian\shimx64.efi)`. */
export function parseEfibootmgr(text: string): FirmwareEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^Boot([0-9A-F]{4})\*? (.*)$/i.exec(line);
    if (match?.[1] === undefined) return [];
    const [label = '', ...path] = (match[2] ?? '').split('\t');
    return [{ number: match[1], label, devicePath: path.join('\t') }];
  });
}

/** PARTUUID of the GPT partition that an entry starts from, in lower case; null where it names none. */
export function partUuidOf({ devicePath }: FirmwareEntry): string | null {
  return /HD\(\d+,GPT,([0-9a-f-]{36})/i.exec(devicePath)?.[1]?.toLowerCase() ?? null;
}

/**
 * Whether an entry starts no system: ours for one start of the installer, fwupd's (a program of its own, or one that the
 * entry's options name to shim), a shell, a memory test.
 */
function isAside({ label, devicePath }: FirmwareEntry): boolean {
  if (label === bootEntryLabel || /^Linux[- ]Firmware[- ]Updater/i.test(label)) return true;
  return /\\(fwup|shell|memtest|mt86)\w*\.efi/i.test(devicePath);
}

/**
 * The entry that starts the system on the partition with this GUID: the first of the boot order, as the firmware itself
 * would choose, then those that are in no order.
 */
export function systemEntry(boot: FirmwareBoot, espPartUuid: string): FirmwareEntry | null {
  const order = boot.bootOrder.map((number) => number.toUpperCase());
  const rank = ({ number }: FirmwareEntry): number => {
    const at = order.indexOf(number.toUpperCase());
    return at === -1 ? order.length : at;
  };
  const [first = null] = boot.entries
    .filter((entry) => partUuidOf(entry) === espPartUuid.toLowerCase() && !isAside(entry))
    .sort((a, b) => rank(a) - rank(b));
  return first;
}
