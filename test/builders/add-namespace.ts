import { randomBytes } from 'node:crypto';
import { runCommand } from '../../core/base/run-command.ts';
import { namespacePrefix, runMarker } from '../../scripts/testing/leaks.ts';
import type { Resources } from '../resources.ts';

/**
 * Makes a network namespace, deleted with the test, and gives its name. That says whose it is, so that a run of tests can
 * tell what it left behind from what other runs use.
 */
export async function addNamespace(resources: Resources, purpose: string): Promise<string> {
  const prefix = namespacePrefix(process.env[runMarker] ?? `by-hand-${process.pid}`);
  const name = `${prefix}${purpose}-${randomBytes(4).toString('hex')}`;
  await runCommand('ip', ['netns', 'add', name]);
  resources.defer(`ip netns delete ${name}`, async () => void (await runCommand('ip', ['netns', 'delete', name])));
  return name;
}
