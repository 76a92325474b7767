import type { Provision } from '../../protocol/api/provisions.ts';
import type { Resources } from '../resources.ts';
import type { PlayedMachine } from './played-machine.ts';
import { type ProvisionServer, startProvisionServer } from './provision-server.ts';
import { startRegistry } from './registry.ts';
import { tinyImage } from './tiny-image.ts';

export interface QueuedRun {
  readonly server: ProvisionServer;
  readonly machine: PlayedMachine;
  readonly uuid: string;
  run(): Provision;
}

export interface InstallingRun extends QueuedRun {
  readonly commandUuid: string;
}

/** A run that is ready; the machine is off. */
export async function startQueuedRun(resources: Resources): Promise<QueuedRun> {
  const registry = await startRegistry(resources);
  const server = await startProvisionServer(resources);
  server.useImage(`http://${await registry.push((await tinyImage(resources)).reference, 'os/tiny:1')}`);
  const machine = server.machine();
  const { provisionUuid: uuid } = server.service.queue(machine.uuid);
  await server.service.settled();
  return { server, machine, uuid, run: () => server.run(machine.uuid, uuid) };
}

/** A run whose machine is in the installer and has taken the command. */
export async function startInstallingRun(resources: Resources): Promise<InstallingRun> {
  const queued = await startQueuedRun(resources);
  await queued.machine.bootInstaller();
  const { commandUuid } = await queued.machine.take();
  return { ...queued, commandUuid };
}
