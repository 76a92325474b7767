import { realpathSync } from 'node:fs';
import { runCommand } from '../../core/base/run-command.ts';
import type { BundleFile } from '../../protocol/bundle-manifest.ts';

export interface RuntimeLibrary {
  /** Where it lies on this machine, links resolved. */
  readonly file: string;
  /** Where it goes in the bundle. */
  readonly path: string;
  readonly role: BundleFile['role'];
  /** Debian package and version it belongs to. */
  readonly source: string;
  readonly licence: string;
}

// GCC's run-time libraries: GPL with the exception that lets any program use them (/usr/share/doc/*/copyright).
const licence = 'GPL-3.0-or-later WITH GCC-exception-3.1';
const libraryDir = '/usr/lib/x86_64-linux-gnu';

/**
 * The libraries that Node needs beyond glibc. Minimal systems lack libatomic, so it always travels along; the others
 * are used only where the system has none (Debian 12's need a newer glibc than Node does).
 */
const wanted = [
  { name: 'libatomic.so.1', path: 'libatomic.so.1', role: 'library', debianPackage: 'libatomic1' },
  { name: 'libgcc_s.so.1', path: 'fallback/libgcc_s.so.1', role: 'fallback', debianPackage: 'libgcc-s1' },
  { name: 'libstdc++.so.6', path: 'fallback/libstdc++.so.6', role: 'fallback', debianPackage: 'libstdc++6' },
] as const;

/** Finds the libraries on this machine. */
export async function runtimeLibraries(): Promise<RuntimeLibrary[]> {
  const packages = wanted.map(({ debianPackage }) => debianPackage);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's
  const { stdout } = await runCommand('dpkg-query', ['-W', '-f', '${Package} ${Version}\n', ...packages]);
  const lines = stdout.split('\n');
  return wanted.map(({ name, path, role, debianPackage }) => {
    const source = lines.find((line) => line.startsWith(`${debianPackage} `));
    if (source === undefined) throw new Error(`the package ${debianPackage} is not installed`);
    return { file: realpathSync(`${libraryDir}/${name}`), path, role, source, licence };
  });
}
