import { type AgentSettings, closeCodes, type ServerFrame } from '../../protocol/agent-frames.ts';
import type { AgentHub } from '../services.ts';
import type { AgentConnection } from './agent-connection.ts';
import type { AgentServices } from './agent-services.ts';
import { type Delivery, prepareCommands } from './deliver-commands.ts';

/** What the hub needs of the services; the rest of them needs the hub. */
type HubServices = Omit<AgentServices, 'onLive' | 'onClosed'>;

/** All sockets of agents; per machine the one that said hello last. */
export class LiveAgents implements AgentHub {
  readonly #services: HubServices;
  readonly #connections = new Set<AgentConnection>();
  readonly #live = new Map<string, AgentConnection>();

  constructor(services: HubServices) {
    this.#services = services;
  }

  get connectedCount(): number {
    return this.#live.size;
  }

  get connections(): ReadonlySet<AgentConnection> {
    return this.#connections;
  }

  add(connection: AgentConnection): void {
    this.#connections.add(connection);
  }

  onLive(connection: AgentConnection): void {
    const { machineUuid } = connection;
    if (machineUuid === undefined) return;
    const older = this.#live.get(machineUuid);
    this.#live.set(machineUuid, connection);
    const { log } = this.#services.context;
    // Again and again for one machine: two disks with one identity.
    if (older === undefined) log.info({ machine_uuid: machineUuid }, 'an agent has connected');
    else log.info({ machine_uuid: machineUuid }, 'an agent has connected again; its older socket is closed');
    // What the older one sent before is stored or in the same queue; what comes after is not acknowledged, so it comes again.
    older?.close(closeCodes.replaced, 'a newer socket of this machine took over');
    if (older === undefined) this.#services.context.events.publish({ type: 'machine', uuid: machineUuid });
  }

  onClosed(connection: AgentConnection): void {
    this.#connections.delete(connection);
    const { machineUuid } = connection;
    if (machineUuid === undefined || this.#live.get(machineUuid) !== connection) return;
    this.#live.delete(machineUuid);
    const { commits, context, held, lastSeen } = this.#services;
    held.set(machineUuid, false);
    context.log.info({ machine_uuid: machineUuid }, 'an agent has disconnected');
    commits.submit({
      sizeBytes: 64,
      apply: () => lastSeen.write(machineUuid),
      committed: () => {
        if (!this.#live.has(machineUuid)) lastSeen.forget(machineUuid);
        context.events.publish({ type: 'machine', uuid: machineUuid });
      },
      // The next flush tries again.
      failed: () => undefined,
    });
  }

  isConnected(machineUuid: string): boolean {
    return this.#live.get(machineUuid)?.isOpen ?? false;
  }

  send(machineUuid: string, frame: ServerFrame): boolean {
    return this.#live.get(machineUuid)?.send(frame) ?? false;
  }

  async answersPing(machineUuid: string, timeoutMs: number): Promise<boolean> {
    return (await this.#live.get(machineUuid)?.ping(timeoutMs)) ?? false;
  }

  disconnect(machineUuid: string, code: number, reason: string): void {
    this.#live.get(machineUuid)?.close(code, reason);
  }

  lastSeenAt(machineUuid: string): number | null {
    return this.#services.lastSeen.get(machineUuid);
  }

  pushConfig(machineUuid: string, config: AgentSettings): void {
    const { commits, context } = this.#services;
    const setPending = (isPending: boolean): void => {
      context.db
        .prepare('UPDATE machines SET pending_config_push = ? WHERE uuid = ?')
        .run(isPending ? 1 : 0, machineUuid);
    };
    setPending(!this.isConnected(machineUuid));
    // After the caller's transaction, whose changes it must not announce too early.
    commits.submit({
      sizeBytes: 64,
      apply: () => setPending(!this.isConnected(machineUuid)),
      committed: () => this.send(machineUuid, { type: 'config', config }),
      failed: () => undefined,
    });
  }

  /** Sends what is queued for the machine, after the transaction that queued it. */
  deliverSoon(machineUuid: string): void {
    let delivery: Delivery | null = null;
    this.#services.commits.submit({
      sizeBytes: 64,
      apply: () => {
        delivery = this.isConnected(machineUuid)
          ? prepareCommands({ ...this.#services, machineUuid, hello: null })
          : null;
      },
      committed: () => {
        const connection = this.#live.get(machineUuid);
        for (const frame of delivery?.frames ?? []) connection?.send(frame);
        this.#services.held.set(machineUuid, connection !== undefined && delivery?.isHolding === true);
      },
      // They stay queued until the next hello.
      failed: () => undefined,
    });
  }
}
