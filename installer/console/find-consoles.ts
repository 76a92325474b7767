import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpcr, type SpcrConsole } from './parse-spcr.ts';

/** Where the kernel's files are; tests have trees of their own. */
export interface ConsoleRoots {
  readonly sys: string;
  readonly proc: string;
  readonly dev: string;
}

export const systemRoots: ConsoleRoots = { sys: '/sys', proc: '/proc', dev: '/dev' };

/** `durantic.console=`. */
export type ConsoleChoice = 'auto' | 'tty' | 'serial';

/** Consoles by name, as in /dev. */
export interface FoundConsoles {
  /** Gets the screens; null: no display, or it was not asked for. */
  readonly screen: string | null;
  /** Get plain lines. */
  readonly serial: readonly SerialConsole[];
  /** Sentences for a log: why something that was asked for is not as asked. */
  readonly notes: readonly string[];
}

export interface SerialConsole {
  readonly name: string;
  readonly why: 'firmware' | 'kernel' | 'only one';
  /** What it is to be set to, bits per second; null: the kernel prints on it and has set it, or it has no speed (hvc). */
  readonly speedBaud: number | null;
}

/** What management controllers expect where the firmware does not say. */
const usualSpeedBaud = 115_200;

/** The first virtual terminal: in front after a start. */
const screenName = 'tty1';

/**
 * Which consoles a person may look at (protocol.md, "Console"): the first framebuffer or VGA console, and the serial lines
 * that the firmware (ACPI SPCR) or the kernel (`console=`) uses, else the only one that exists. A serial line without
 * a chip behind it, as that of the built-in `console=ttyS0` on many machines, is none.
 */
export function findConsoles(choice: ConsoleChoice, roots: ConsoleRoots = systemRoots): FoundConsoles {
  const screen = hasDisplay(roots) ? screenName : null;
  const serial = findSerial(roots);
  if (choice === 'tty' && screen !== null) return { screen, serial: [], notes: [] };
  if (choice === 'tty') return { screen, serial, notes: ['durantic.console=tty was given, but there is no display'] };
  if (choice === 'serial' && serial.length > 0) return { screen: null, serial, notes: [] };
  if (choice === 'serial') {
    return { screen, serial, notes: ['durantic.console=serial was given, but there is no serial line'] };
  }
  return { screen, serial, notes: [] };
}

/**
 * What is behind the virtual terminals of a machine without a display: the kernel's dummy console, or an adapter of the
 * 1980s (`*CGA`, `*MDA`), which it takes for granted where no VGA BIOS has answered and 0xb8000 holds what is written
 * (drivers/video/console/vgacon.c), as in a guest without a VGA card.
 */
const noDisplay = /dummy|\*(CGA|MDA)/i;

/** Of the others one must be bound: `(M) frame buffer device`, `(S) VGA+`. */
function hasDisplay({ sys }: ConsoleRoots): boolean {
  const folder = join(sys, 'class/vtconsole');
  return namesIn(folder).some((name) => {
    const console = readText(join(folder, name, 'name'));
    return console !== '' && !noDisplay.test(console) && readText(join(folder, name, 'bind')).trim() === '1';
  });
}

function findSerial(roots: ConsoleRoots): readonly SerialConsole[] {
  const found = new Map<string, SerialConsole['why']>();
  const spcr = readSpcr(roots);
  const firmware = spcr === null ? null : findFirmwareLine(spcr, roots);
  if (firmware !== null) found.set(firmware, 'firmware');
  const inUse = consolesInUse(roots);
  for (const name of [...inUse, ...consolesAsked(roots)].filter((name) => /^(ttyS|ttyAMA|ttyUSB|hvc)\d+$/.test(name))) {
    if (!found.has(name) && isThere(name, roots)) found.set(name, 'kernel');
  }
  if (found.size === 0) {
    const all = serialLines(roots);
    const candidates = all.length > 0 ? all : ['hvc0'].filter((name) => isThere(name, roots));
    // Of several lines nobody knows which has a reader.
    if (candidates.length === 1 && candidates[0] !== undefined) found.set(candidates[0], 'only one');
  }
  const speedOf = (name: string): number | null =>
    inUse.includes(name) || name.startsWith('hvc') ? null : (spcr?.speedBaud ?? usualSpeedBaud);
  return [...found].map(([name, why]) => ({ name, why, speedBaud: speedOf(name) }));
}

/** The serial line that the firmware uses, by its address: `ttyS1` is COM2 on one machine and the BMC's line on another. */
function findFirmwareLine(spcr: SpcrConsole, roots: ConsoleRoots): string | null {
  const attribute = spcr.space === 'io' ? 'port' : 'iomem_base';
  const isAtAddress = (name: string): boolean =>
    parseAddress(readText(join(roots.sys, 'class/tty', name, attribute))) === spcr.address;
  return serialLines(roots).find(isAtAddress) ?? null;
}

function readSpcr({ sys }: ConsoleRoots): SpcrConsole | null {
  try {
    return parseSpcr(readFileSync(join(sys, 'firmware/acpi/tables/SPCR')));
  } catch {
    // Most machines have none.
    return null;
  }
}

/** What the kernel prints on. */
function consolesInUse({ proc }: ConsoleRoots): readonly string[] {
  const lines = readText(join(proc, 'consoles')).split('\n');
  return lines.map((line) => /^\S+/.exec(line)?.[0] ?? '');
}

/** What it was told to print on: a line may have come to life after it. */
function consolesAsked({ proc }: ConsoleRoots): readonly string[] {
  const asked = readText(join(proc, 'cmdline')).matchAll(/(?:^|\s)console=([A-Za-z]+\d+)/g);
  return [...asked].map((match) => match[1] ?? '');
}

/** Lines of the 8250 driver that have a chip. It makes four or more, `type` 0 (unknown) where it found none. */
function serialLines(roots: ConsoleRoots): readonly string[] {
  return namesIn(join(roots.sys, 'class/tty')).filter((name) => /^ttyS\d+$/.test(name) && isThere(name, roots));
}

function isThere(name: string, { sys }: ConsoleRoots): boolean {
  const folder = join(sys, 'class/tty', name);
  if (!name.startsWith('ttyS')) return namesIn(folder).length > 0;
  const type = readText(join(folder, 'type')).trim();
  return type !== '' && type !== '0';
}

function parseAddress(text: string): bigint | null {
  const hex = text.trim();
  return /^0x[0-9a-f]+$/i.test(hex) ? BigInt(hex) : null;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // An attribute that this driver does not have.
    return '';
  }
}

/** In the order of their numbers. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  } catch {
    return [];
  }
}
