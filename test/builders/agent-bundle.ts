import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';

export interface FakeBundleSpec {
  /** The program: a script of the shell, so that a test says what it does. */
  readonly program: string;
  /** Names of fallback libraries and the glibc that each is said to need. */
  readonly fallback?: Readonly<Record<string, string>>;
}

/** Writes durantic-linux-x64.tar.gz with a program of the test's own into a folder. */
export async function writeFakeBundle(resources: Resources, folder: string, spec: FakeBundleSpec): Promise<void> {
  const tree = resources.tempDir();
  writeFileSync(join(tree, 'durantic'), `#!/bin/sh\n${spec.program}\n`);
  chmodSync(join(tree, 'durantic'), 0o755);
  mkdirSync(join(tree, 'fallback'));
  const files: object[] = [{ path: 'durantic', role: 'program', glibc: '2.28' }];
  for (const [name, glibc] of Object.entries(spec.fallback ?? {})) {
    const text = `the agent's own ${name}`;
    writeFileSync(join(tree, 'fallback', name), text);
    const sha256 = createHash('sha256').update(text).digest('hex');
    files.push({ path: `fallback/${name}`, sha256, bytes: text.length, mode: '0644', role: 'fallback', glibc });
  }
  writeFileSync(join(tree, 'manifest.json'), `${JSON.stringify({ format: 1, files }, null, 2)}\n`);
  const draft = join(folder, '.bundle');
  await runCommand('tar', ['-czf', draft, '-C', tree, 'durantic', 'fallback', 'manifest.json']);
  // By rename, as a build does.
  await runCommand('mv', [draft, join(folder, 'durantic-linux-x64.tar.gz')]);
}
