import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Watchdog {
  /** `watchdog0`, also the name of its device. */
  readonly name: string;
  readonly identity: string;
  /** It resets the machine when it was not fed for this long. */
  readonly timeoutSec: number;
}

/** The kernel's own, which cannot help when the kernel hangs with interrupts off. */
const softwareIdentity = 'Software Watchdog';

/** Of a driver that does not say: shorter than any that is in use. */
const unknownTimeoutSec = 10;

/**
 * The watchdog to feed: one in hardware, else the kernel's own; null where there is none that can be stopped again
 * (Documentation/ABI/testing/sysfs-class-watchdog of Linux). One that could not would reset the installed system after a
 * kexec, which may not feed it.
 */
export function findWatchdog(sysDir = '/sys/class/watchdog'): Watchdog | null {
  const found = namesIn(sysDir).flatMap((name) => {
    const attribute = (file: string): string => textOf(join(sysDir, name, file));
    if (attribute('nowayout') === '1') return [];
    const timeoutSec = Number(attribute('timeout'));
    return [{ name, identity: attribute('identity'), timeoutSec: timeoutSec > 0 ? timeoutSec : unknownTimeoutSec }];
  });
  return found.find(({ identity }) => identity !== softwareIdentity) ?? found[0] ?? null;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^watchdog\d+$/.test(name))
      .sort((a, b) => Number(a.slice(8)) - Number(b.slice(8)));
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
