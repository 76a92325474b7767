import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { ServerContext } from '../../control-plane/context.ts';
import { createImage } from '../../control-plane/images/store-image.ts';
import { describeMachine } from '../../control-plane/machines/describe-machine.ts';
import { describeProvision } from '../../control-plane/provisions/describe-provision.ts';
import { listHistory } from '../../control-plane/provisions/provision-history.ts';
import { createProvisionService, type RegistryAccess } from '../../control-plane/provisions/provision-service.ts';
import type {
  AgentFrameListener,
  AgentHub,
  CommandQueue,
  ProvisionService,
  RenderMachine,
} from '../../control-plane/services.ts';
import { openDatabase } from '../../control-plane/store/open-database.ts';
import { Sealer } from '../../control-plane/store/sealer.ts';
import type { Machine } from '../../protocol/api/machines.ts';
import type { Provision, ProvisionHistoryEntry } from '../../protocol/api/provisions.ts';
import { type Resources, waitFor } from '../resources.ts';
import { startAgentServer } from './agent-server.ts';
import { PlayedMachine } from './played-machine.ts';
import { FakeClock, passTime } from './server-context.ts';
import { insertTestMachine, type TestIdentity } from './test-agent.ts';

export interface ProvisionServerOptions {
  readonly renderMachine?: RenderMachine;
  readonly registries?: RegistryAccess;
  /** Goes on where another server ended. */
  readonly after?: ProvisionServer;
}

/** The parts that install machines, without the web server: runs, agents' sockets, a database in a file, a clock. */
export interface ProvisionServer {
  readonly context: ServerContext;
  readonly clock: FakeClock;
  readonly service: ProvisionService;
  readonly hub: AgentHub;
  readonly commands: CommandQueue;
  readonly url: string;
  readonly databaseFile: string;
  /** A machine that enrolled; `identity` for one that another server knows. */
  machine(identity?: TestIdentity): PlayedMachine;
  /** Makes an image the account's default. */
  useImage(url: string, registryCredentialUuid?: string): string;
  run(machineUuid: string, provisionUuid: string): Provision;
  history(provisionUuid: string): ProvisionHistoryEntry[];
  describe(machineUuid: string): Machine;
  /** Time passes, and the server looks after its runs. */
  pass(milliseconds: number): Promise<void>;
  /** Waits until the run has this status, ticking. */
  reached(machineUuid: string, provisionUuid: string, status: Provision['status']): Promise<Provision>;
  /** Stops as a server does. */
  stop(): Promise<void>;
}

/** Starts it on a port of 127.0.0.1; ends with the test. */
export async function startProvisionServer(
  resources: Resources,
  options: ProvisionServerOptions = {},
): Promise<ProvisionServer> {
  const { after } = options;
  const clock = after?.clock ?? new FakeClock();
  const databaseFile = after?.databaseFile ?? `${resources.tempDir()}/durantic.sqlite`;
  const db: DatabaseSync = openDatabase(databaseFile);
  const sealer = after?.context.sealer ?? new Sealer(randomBytes(32));
  const listeners: AgentFrameListener[] = [];
  const server = await startAgentServer(resources, {
    context: { db, clock, sealer },
    listeners,
    buildProvisionArgs: (uuid) => service.buildArgs(uuid),
  });
  const { context, sockets, url } = server;
  const { hub, commands } = sockets;
  const renderMachine: RenderMachine = async () => ({ userData: '#cloud-config\n{}\n', parts: [] });
  const service = createProvisionService(context, {
    hub,
    commands,
    renderMachine: options.renderMachine ?? renderMachine,
    registries: options.registries ?? {},
    random: () => 0,
  });
  listeners.push(service.listener);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await service.close();
    await sockets.close();
    if (db.isOpen) db.close();
  };
  const stopOnce = (): Promise<void> => (stopped ??= stop());
  resources.defer('stop the runs', stopOnce);
  const run = (machineUuid: string, provisionUuid: string) => describeProvision(context, machineUuid, provisionUuid);
  return {
    context,
    clock,
    service,
    hub,
    commands,
    url,
    databaseFile,
    machine: (identity) => new PlayedMachine(resources, { url, identity: identity ?? insertTestMachine(context) }),
    useImage: (imageUrl, registryCredentialUuid) => {
      const body = { name: imageUrl, docker_image_url: imageUrl, description: null };
      const { uuid } = createImage(context, { ...body, registry_credential_uuid: registryCredentialUuid ?? null });
      db.prepare('UPDATE accounts SET default_image_uuid = ?').run(uuid);
      return uuid;
    },
    run,
    history: (provisionUuid) => listHistory(db, provisionUuid),
    describe: (machineUuid) => describeMachine({ context, hub }, machineUuid),
    pass: async (milliseconds) => await passTime(clock, milliseconds, async () => await service.tick()),
    reached: async (machineUuid, provisionUuid, status) =>
      await waitFor(`the run to be ${status}`, async () => {
        await service.tick();
        await service.settled();
        const now = run(machineUuid, provisionUuid);
        if (now.is_terminal && now.status !== status) {
          throw new Error(`the run ended as ${now.status}: ${now.error_message}`);
        }
        return now.status === status && now;
      }),
    stop: stopOnce,
  };
}
