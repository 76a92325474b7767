import type { RegistryCredentials } from '../../core/oci/auth.ts';
import { machineLogsSchema } from '../../protocol/api/commands.ts';
import type { Machine, MachineUpdate } from '../../protocol/api/machines.ts';
import {
  type Provision,
  type ProvisionHistoryEntry,
  provisionHistoryEntrySchema,
  provisionSchema,
} from '../../protocol/api/provisions.ts';
import type { CommandKind } from '../../protocol/commands.ts';
import { type Registry, startRegistry } from '../builders/registry.ts';
import { type Resources, waitFor } from '../resources.ts';
import type { GuestIdentity } from './guest-identity.ts';
import { type Cable, type DhcpServer, GuestLan } from './guest-lan.ts';
import { InstallerGuest, type InstallerGuestOptions } from './installer-guest.ts';
import { type InstallerServer, lanHost, startInstallerServer } from './installer-server.ts';
import { startVm, type Vm } from './qemu.ts';
import type { VmOptions } from './qemu-arguments.ts';
import type { VmNetwork } from './vm-network.ts';

/** The registry's name for the server and for guests alike; each finds it by a way of its own. */
const registryName = 'registry.test';

export interface InstallLabOptions {
  /** Who may use the registry; default: everybody. */
  readonly login?: RegistryCredentials;
  /** Further options of dnsmasq. */
  readonly dhcpArgs?: (server: InstallerServer) => readonly string[];
  /** False: nobody gives addresses; names are answered all the same. Default true. */
  readonly hasDhcp?: boolean;
}

/** What an image of the server is made of, and what makes a machine's role. */
export interface InstallOrder {
  /** The image's name in the registry, with tag: `debian:12`. */
  readonly image: string;
  /** Template of the user data; default: none. */
  readonly userData?: string;
  /** Name → template of roles that the machine has beside that one. */
  readonly furtherRoles?: Readonly<Record<string, string>>;
  /** From the installer into the installed system; default: the server's. */
  readonly boot?: 'auto' | 'kexec' | 'reboot';
  readonly settings?: MachineUpdate;
}

/**
 * A network of its own with DHCP, DNS and a cable for one machine, a real server and a real registry behind it: what a
 * machine needs to be installed, and the operator's part of it.
 */
export class InstallLab {
  readonly server: InstallerServer;
  readonly lan: GuestLan;
  readonly cable: Cable;
  readonly dhcp: DhcpServer;
  readonly registry: Registry;
  #registryRelay: { stop(): void };
  readonly #resources: Resources;
  readonly #login: RegistryCredentials | undefined;
  #orders = 0;

  private constructor(
    resources: Resources,
    login: RegistryCredentials | undefined,
    parts: Pick<InstallLab, 'server' | 'lan' | 'cable' | 'dhcp' | 'registry'> & { registryRelay: { stop(): void } },
  ) {
    this.#resources = resources;
    this.#login = login;
    this.server = parts.server;
    this.lan = parts.lan;
    this.cable = parts.cable;
    this.dhcp = parts.dhcp;
    this.registry = parts.registry;
    this.#registryRelay = parts.registryRelay;
  }

  static async create(resources: Resources, options: InstallLabOptions = {}): Promise<InstallLab> {
    const { login } = options;
    const registry = await startRegistry(resources, login === undefined ? {} : { login });
    const server = await startInstallerServer(resources, {
      hosts: { [registryName]: '127.0.0.1' },
    });
    const lan = await GuestLan.create(resources);
    await lan.join(server);
    const registryRelay = await lan.relay(portOf(registry));
    const cable = await lan.addCable();
    const dhcp = await lan.startDhcp(cable, {
      names: { [registryName]: lanHost },
      hasIpv4: options.hasDhcp !== false,
      args: options.dhcpArgs?.(server) ?? [],
    });
    return new InstallLab(resources, login, { server, lan, cable, dhcp, registry, registryRelay });
  }

  /** Copies `oci:DIR:TAG` into the registry. */
  async push(source: string, nameAndTag: string): Promise<void> {
    await this.registry.push(source, nameAndTag);
  }

  /** `http://registry.test:PORT/NAME:TAG`, for `docker_image_url`. */
  imageUrl(nameAndTag: string): string {
    return `http://${registryName}:${portOf(this.registry)}/${nameAndTag}`;
  }

  /** The registry does not answer machines any more; the server still reaches it. */
  hideRegistry(): void {
    this.#registryRelay.stop();
  }

  async showRegistry(): Promise<void> {
    this.#registryRelay = await this.lan.relay(portOf(this.registry));
  }

  /** A cable for another machine, with DHCP of its own. */
  async addMachineCable(): Promise<Cable> {
    const cable = await this.lan.addCable();
    await this.lan.startDhcp(cable, { names: { [registryName]: lanHost } });
    return cable;
  }

  /** A machine on the cable (default: the first) that boots the installer. */
  async startInstaller(
    options: Omit<InstallerGuestOptions, 'server' | 'host' | 'netns' | 'network'> & {
      readonly card?: Partial<VmNetwork>;
      readonly cable?: Cable;
    },
  ): Promise<InstallerGuest> {
    const { card = {}, cable = this.cable, ...rest } = options;
    return await InstallerGuest.start(this.#resources, {
      ...rest,
      ...{ server: this.server, host: lanHost, netns: this.lan.netns, network: { ...cable.card, ...card } },
    });
  }

  /** The same machine, started from its disks alone, unless its card says otherwise. */
  async startInstalled(
    identity: GuestIdentity,
    options: Pick<VmOptions, 'firmware' | 'disks'> & { readonly card?: Partial<VmNetwork> },
  ): Promise<Vm> {
    const { card = {}, ...rest } = options;
    return await startVm(this.#resources, {
      ...{ name: 'installed', memoryMib: 1024, netns: this.lan.netns, ...rest },
      smbios: { uuid: identity.smbiosUuid, serial: identity.serial, boardSerial: identity.boardSerial },
      network: { ...this.cable.card, ...card, mac: identity.macs[0] ?? '' },
    });
  }

  /** What an operator does: an image, a role, the machine's settings, and the order to install. */
  async provision(machineUuid: string, order: InstallOrder): Promise<string> {
    await this.assign(machineUuid, order);
    const body = { mode: 'rebuild', ...(order.boot === undefined ? {} : { boot: order.boot }) };
    const reply = await this.server.api('POST', `provisioning/machines/${machineUuid}/provision`, body);
    return (reply as { provision_uuid: string }).provision_uuid;
  }

  /** All of it but the order itself: the machine's image, roles and settings. */
  async assign(machineUuid: string, order: Omit<InstallOrder, 'boot'>): Promise<void> {
    this.#orders += 1;
    const name = `order-${this.#orders}`;
    const { api } = this.server;
    const imageUuid = uuidOf(
      await api('POST', 'provisioning/images/', {
        name,
        docker_image_url: this.imageUrl(order.image),
        registry_credential_uuid: await this.#credential(name),
      }),
    );
    await api('POST', 'controlplane/machine-roles/', {
      name,
      image_uuid: imageUuid,
      ...(order.userData === undefined ? {} : { template_data: order.userData }),
    });
    const further = Object.entries(order.furtherRoles ?? {});
    for (const [role, template] of further) {
      await api('POST', 'controlplane/machine-roles/', { name: role, template_data: template });
    }
    const roles = [name, ...further.map(([role]) => role)];
    await api('PATCH', `provisioning/machines/${machineUuid}`, { ...order.settings, role_names: roles });
  }

  async run(machineUuid: string, provisionUuid: string): Promise<Provision> {
    const path = `provisioning/machines/${machineUuid}/provisions/${provisionUuid}`;
    return provisionSchema.parse(await this.server.api('GET', path));
  }

  /** Everything that the server has noted of the run, oldest first. */
  async history(machineUuid: string, provisionUuid: string): Promise<ProvisionHistoryEntry[]> {
    const path = `provisioning/machines/${machineUuid}/provisions/${provisionUuid}/events`;
    return provisionHistoryEntrySchema.array().parse(await this.server.api('GET', path));
  }

  /** Waits until the machine's newest run is in one of these steps. */
  async waitForStep(vm: Vm, machineUuid: string, steps: readonly string[]): Promise<void> {
    await vm.waitUntil(
      `a run in ${steps.join(' or ')}`,
      async () => {
        const machine = (await this.server.machines()).find(({ uuid }) => uuid === machineUuid);
        return steps.includes(machine?.last_provision?.current_step ?? '');
      },
      { timeoutMs: 5 * 60_000 },
    );
  }

  /** Waits until a machine has connected in that mode since this guest was started. */
  async waitForMode(vm: Vm, mode: 'installer' | 'installed'): Promise<Machine> {
    return await vm.waitUntil(
      `the machine to be online in mode ${mode}`,
      async () =>
        (await this.server.machines()).find(
          (machine) =>
            machine.is_online && machine.mode === mode && Date.parse(machine.last_seen_at ?? '') > vm.startedAt,
        ),
      { timeoutMs: 5 * 60_000 },
    );
  }

  /** Waits until the server says that of the run; a run that has ended otherwise is an error that says how. */
  async waitForRun(
    vm: Vm,
    { machineUuid, provisionUuid }: { readonly machineUuid: string; readonly provisionUuid: string },
    expected: { readonly what: string; readonly is: (run: Provision) => boolean; readonly timeoutMs: number },
  ): Promise<Provision> {
    return await vm.waitUntil(
      `the run to be ${expected.what}`,
      async () => {
        const run = await this.run(machineUuid, provisionUuid);
        if (expected.is(run)) return run;
        if (run.is_terminal) {
          throw new Error(`the run is ${run.status} at ${run.current_step}: ${run.error_code} ${run.error_message}`);
        }
        return false;
      },
      { timeoutMs: expected.timeoutMs },
    );
  }

  /** Gives a command. @returns Its UUID. */
  async command(machineUuid: string, kind: CommandKind, args: object = {}): Promise<string> {
    return uuidOf(await this.server.api('POST', `provisioning/machines/${machineUuid}/commands/`, { kind, args }));
  }

  async commandOf(machineUuid: string, commandUuid: string): Promise<{ status: string; reason: string | null }> {
    const path = `provisioning/machines/${machineUuid}/commands/${commandUuid}`;
    return (await this.server.api('GET', path)) as { status: string; reason: string | null };
  }

  /** Gives a command and waits for its end; the lines that the server then has of the machine. */
  async collectLogs(machineUuid: string): Promise<string[]> {
    const { api } = this.server;
    const item = `provisioning/machines/${machineUuid}`;
    const commandUuid = await this.command(machineUuid, 'CollectLogs');
    await waitFor(
      'the logs of the machine',
      async () => {
        const { status, reason } = await this.commandOf(machineUuid, commandUuid);
        if (status === 'failed' || status === 'rejected') throw new Error(`CollectLogs ${status}: ${reason}`);
        return status === 'done';
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
    const { entries } = machineLogsSchema.parse(await api('GET', `${item}/logs/`));
    return entries.filter(({ command_uuid }) => command_uuid === commandUuid).flatMap(({ lines }) => lines);
  }

  async #credential(name: string): Promise<string | null> {
    if (this.#login === undefined) return null;
    const registryUrl = `${registryName}:${portOf(this.registry)}`;
    const body = { name, registry_url: registryUrl, ...this.#login };
    return uuidOf(await this.server.api('POST', 'provisioning/registry-credentials/', body));
  }
}

function portOf({ host }: Registry): number {
  return Number(host.split(':')[1]);
}

function uuidOf(body: unknown): string {
  return (body as { uuid: string }).uuid;
}
