import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { runCommand } from '../../../core/base/run-command.ts';
import { imageSchema } from '../../../protocol/api/images.ts';
import { machineListItemSchema, machineSchema } from '../../../protocol/api/machines.ts';
import { tinyImage } from '../../builders/tiny-image.ts';
import { Resources, waitFor } from '../../resources.ts';

const repo = join(import.meta.dirname, '../../..');
const stateSchema = z.object({
  identity: z.object({ smbiosUuid: z.string(), macs: z.array(z.string()) }),
  port: z.int(),
  registryPort: z.int(),
});

test('scripts/run-qemu starts a server and a machine, which the printed commands show enrolled and order to install an image of its registry; an interrupt ends all', async () => {
  await using resources = new Resources();
  const stateDir = join(resources.tempDir(), 'state');
  const image = (await tinyImage(resources)).reference.split(':')[1] ?? '';
  const options = [
    '--image',
    image,
    '--firmware',
    'bios',
    '--nics',
    '2:virtio,e1000e',
    '--disks',
    '1:nvme:4k:4G',
    '--state',
    stateDir,
  ];
  const child = resources.spawn(join(repo, 'scripts/run-qemu'), options, { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  const until = async <T>(what: string, condition: () => Promise<T | false> | T | false): Promise<T> =>
    await waitFor(
      what,
      async () => {
        if (child.exitCode !== null) throw new Error(`run-qemu ended with ${child.exitCode}:\n${printed}`);
        return await condition();
      },
      { timeoutMs: 120_000, intervalMs: 500 },
    ).catch((error: unknown) => {
      throw new Error(`no ${what}; it printed:\n${printed.slice(-6000)}`, { cause: error });
    });

  const [, exports = ''] = await until('the commands', () => /^ {2}export (.*)\n/m.exec(printed) ?? false);
  const env = Object.fromEntries(exports.split(' ').map((pair) => pair.split('=') as [string, string]));
  const shown = async (...args: string[]): Promise<unknown> =>
    JSON.parse((await runCommand(join(repo, 'dist/durantic'), ['server', ...args, '--json'], { env })).stdout);
  const listed = await until('an online machine', async () => {
    const list = machineListItemSchema
      .pick({ uuid: true, hostname: true, is_online: true })
      .array()
      .parse(await shown('machines', 'list'));
    return list.find(({ is_online }) => is_online) ?? false;
  });
  const machine = await until('inventory', async () => {
    const reply = machineSchema.parse(await shown('machines', 'show', listed.uuid));
    return reply.hardware !== null && reply;
  });
  const { identity, port, registryPort } = stateSchema.parse(
    JSON.parse(readFileSync(join(stateDir, 'state.json'), 'utf8')),
  );
  assert.equal(machine.facts?.system_uuid, identity.smbiosUuid);
  assert.deepEqual([...machine.macs].sort(), identity.macs.slice(0, 2).sort());
  const [disk] = machine.hardware?.disks.filter(({ is_eligible }) => is_eligible) ?? [];
  assert.deepEqual([disk?.serial, disk?.sector_bytes, disk?.size_bytes], ['DISK0', 4096, 4 * 1024 ** 3]);
  assert.match(printed, new RegExp(`dist/durantic server provision ${listed.hostname} `));
  // The server has to look the tag up where the machine's name for the registry leads nowhere.
  const [known] = imageSchema.array().parse(await shown('images', 'list'));
  assert.equal(known?.docker_image_url, `http://10.0.2.2:${registryPort}/${basename(image).toLowerCase()}:latest`);
  const queued = runCommand(join(repo, 'dist/durantic'), ['server', 'provision', listed.hostname, '--yes'], {
    env,
    okExitCodes: Array.from({ length: 256 }, (_, code) => code),
  });
  assert.match(
    (await queued).stderr,
    /image_not_provisionable/,
    'the machine has pulled it and says what is wrong with it',
  );

  child.kill('SIGINT');
  await waitFor('run-qemu to end', () => child.exitCode !== null || child.signalCode !== null, { timeoutMs: 20_000 });
  assert.equal(child.exitCode, 0, printed.slice(-2000));
  assert.deepEqual([await isOpen(port), await isOpen(registryPort)], [false, false], 'server and registry have ended');
  const guests = await runCommand('pgrep', ['-f', join(stateDir, 'guest')], { okExitCodes: [0, 1] });
  assert.equal(guests.stdout, '', 'the guest has ended');
});

async function isOpen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
