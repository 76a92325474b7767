import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { bootstrapTokenSchema } from '../../../protocol/api/bootstrap.ts';
import { provisionEventSchema } from '../../../protocol/provision-event.ts';
import type { Resources } from '../../resources.ts';
import { binary } from '../debian-image.ts';
import type { InstallLab } from '../install-lab.ts';
import { lanHost } from '../installer-server.ts';

/**
 * A disk with a Debian that knows nothing of durantic, and at its first boot runs the line that the server gives an
 * operator, as root would by hand.
 * @param source The image as `oci:DIR`.
 */
export async function existingDebian(
  resources: Resources,
  lab: InstallLab,
  { source, target }: { readonly source: string; readonly target: string },
): Promise<void> {
  const { server } = lab;
  const reply = await server.api('POST', 'provisioning/bootstrap-tokens/', { lifetime: '1d' });
  const { install_command: shown } = bootstrapTokenSchema.parse(reply);
  // The server shows its first public URL; this machine reaches it by another.
  const line = shown.replace(/https:\/\/[^/]+\//, `${server.url(lanHost)}/`);
  const userData = join(resources.tempDir(), 'user-data');
  const commands = { runcmd: [['bash', '-c', line]] };
  writeFileSync(userData, `#cloud-config\n${JSON.stringify(commands)}\n`);
  const what = ['--image', source, '--disk', target, '--user-data', userData, '--hostname', 'an-old-server'];
  const how = ['--no-inject-agent', '--boot', 'none', '--yes', '--json'];
  const { stdout } = await runCommand(binary, ['provision', ...what, ...how]);
  const last = provisionEventSchema.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
  if (last.step !== null || last.state !== 'succeeded') throw new Error(`not installed: ${last.message}`);
}
