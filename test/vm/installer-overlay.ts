import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, withParents, writeCpio } from '../../core/cpio/cpio.ts';
import type { Resources } from '../resources.ts';

export interface InstallerOverlay {
  /** Shell (busybox) that the first stage starts in the background; it can call `prove` and `disk_of`. */
  readonly hook?: string;
  /** Guest path → content. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

/**
 * An extra initrd over the installer's own archive. What the hook says on the proof port carries `nonce`, so that it is
 * this guest's word.
 */
export function writeOverlay(resources: Resources, overlay: InstallerOverlay, nonce: string): string {
  const functions = readFileSync(new URL('guest-functions.sh', import.meta.url), 'utf8');
  // A hook that ends in the middle is said at once: whoever waits for its proof would wait until the deadline.
  const atEnd = `trap 'code=$?; [ "$code" = 0 ] || prove_failure "$code"' EXIT`;
  const hook = `#!/bin/sh\nset -e\nNONCE=${nonce}\n${functions}\n${atEnd}\n${overlay.hook ?? ''}\n`;
  const files: CpioEntry[] = Object.entries(overlay.files ?? {}).map(([path, content]) => ({
    path: path.replace(/^\//, ''),
    kind: 'file',
    source: Buffer.from(content),
  }));
  if (overlay.hook !== undefined) {
    files.push({ path: 'durantic/hook', kind: 'file', isExecutable: true, source: Buffer.from(hook) });
  }
  const file = join(resources.tempDir(), 'overlay.cpio');
  writeCpio(file, withParents(files));
  return file;
}
