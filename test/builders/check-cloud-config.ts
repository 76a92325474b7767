import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';

/** What `cloud-init schema` has against a cloud-config; null: nothing. */
export async function checkCloudConfig(resources: Resources, text: string): Promise<string | null> {
  const file = join(resources.tempDir(), 'cloud-config.yaml');
  writeFileSync(file, text);
  const { exitCode, stdout, stderr } = await runCommand('cloud-init', ['schema', '-c', file], {
    okExitCodes: [0, 1],
    timeoutMs: 60_000,
  });
  if (exitCode === 0 && /^Valid cloud-config/m.test(stdout)) return null;
  return stdout + stderr;
}
