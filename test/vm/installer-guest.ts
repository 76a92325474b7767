import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Machine } from '../../protocol/api/machines.ts';
import type { Resources } from '../resources.ts';
import { type GuestIdentity, newIdentity } from './guest-identity.ts';
import { type Medium, type MediumRequest, prepareMedium } from './installer-media.ts';
import { type InstallerOverlay, writeOverlay } from './installer-overlay.ts';
import { type InstallerServer, userNetHost } from './installer-server.ts';
import type { Proof } from './proof.ts';
import { startVm, type Vm } from './qemu.ts';
import { networksOf, type VmOptions } from './qemu-arguments.ts';

export interface InstallerGuestOptions extends Omit<VmOptions, 'name' | 'kernel' | 'smbios' | 'nonce'> {
  readonly server: InstallerServer;
  readonly medium: Medium;
  /** Default: a machine that never was. */
  readonly identity?: GuestIdentity;
  /** Where the guest finds the server; default: in QEMU's own network. */
  readonly host?: string;
  /** Default: a new one of the server; null: none, so the machine asks for approval. */
  readonly token?: string | null;
  /** False: it is not told the server's pin, for `direct` only. */
  readonly hasPin?: boolean;
  /** Further kernel parameters, for `direct` only. */
  readonly append?: string;
  /** The machine could write to its boot medium, as to a stick. */
  readonly isMediumWritable?: boolean;
  /** For `direct` only. */
  readonly overlay?: InstallerOverlay;
}

const timeoutMs = 180_000;

/** A machine that boots the installer from some medium and is to belong to a real server. */
export class InstallerGuest {
  readonly vm: Vm;
  readonly identity: GuestIdentity;
  /** The file of a medium that is a disk; null for others. */
  readonly mediumFile: string | null;
  readonly #server: InstallerServer;

  private constructor(vm: Vm, identity: GuestIdentity, mediumFile: string | null, server: InstallerServer) {
    this.vm = vm;
    this.identity = identity;
    this.mediumFile = mediumFile;
    this.#server = server;
  }

  static async start(resources: Resources, options: InstallerGuestOptions): Promise<InstallerGuest> {
    const { server, medium, firmware } = options;
    const cards = networksOf(options.network);
    const identity = options.identity ?? newIdentity(cards.length);
    const nonce = randomBytes(16).toString('hex');
    const parts = await prepareMedium(medium, await mediumRequest(resources, options, { identity, nonce }));
    const vm = await startVm(resources, {
      ...options,
      name: `${medium}-${firmware}`,
      nonce,
      smbios: {
        uuid: identity.smbiosUuid,
        serial: identity.serial,
        boardSerial: identity.boardSerial,
        vendor: 'Durantic Test',
        product: 'Installer Guest',
      },
      disks: [
        ...(parts.disk === undefined ? [] : [{ ...parts.disk, readOnly: options.isMediumWritable !== true }]),
        ...(options.disks ?? []),
      ],
      network: cards.map((card, index) => ({
        ...card,
        ...(index === 0 ? parts.network : {}),
        mac: card.mac ?? identity.macs[index] ?? '',
      })),
      ...(parts.kernel === undefined ? {} : { kernel: parts.kernel }),
    });
    return new InstallerGuest(vm, identity, parts.disk?.file ?? null, server);
  }

  /** The server's machines that have said this guest's SMBIOS UUID and one of its MAC addresses. */
  async machines(): Promise<Machine[]> {
    const { smbiosUuid, macs } = this.identity;
    return (await this.#server.machines()).filter(
      ({ facts }) => facts?.system_uuid === smbiosUuid && facts.nics.some(({ mac }) => macs.includes(mac)),
    );
  }

  /**
   * Waits until the server itself says that it has this machine: enrolled with this very SMBIOS UUID and MAC address, in
   * the installer, heard of since this power-on, and whatever else `condition` asks for.
   */
  async waitForMachine(
    condition: (machine: Machine) => boolean = () => true,
    options: { timeoutMs: number } = { timeoutMs },
  ): Promise<Machine> {
    return await this.vm.waitUntil(
      'the server to have this machine',
      async () => (await this.machines()).find((machine) => this.#isHere(machine) && condition(machine)),
      options,
    );
  }

  // Online alone can be the start before, which the server has not missed yet.
  #isHere({ is_enrolled, is_online, mode, last_seen_at }: Machine): boolean {
    const seenAt = last_seen_at === null ? 0 : Date.parse(last_seen_at);
    return is_enrolled && is_online && mode === 'installer' && seenAt > this.vm.startedAt;
  }

  /** Reads the code on the console as a person would, and enters it at the server. */
  async approve(options: { timeoutMs: number } = { timeoutMs }): Promise<string> {
    const [, code = ''] = await this.vm.waitForConsole(/durantic server approve ([A-Z0-9]{3}-[A-Z0-9]{3})\b/, options);
    const { facts } = await this.#server.approve(code);
    if (facts.system_uuid !== this.identity.smbiosUuid) throw new Error(`${code} is another machine's code`);
    return code;
  }

  /** What the overlay's hook has proved. */
  async waitForProof(test: string, options: { timeoutMs: number } = { timeoutMs }): Promise<Proof> {
    return await this.vm.waitForProof(test, options);
  }
}

async function mediumRequest(
  resources: Resources,
  options: InstallerGuestOptions,
  { identity, nonce }: { readonly identity: GuestIdentity; readonly nonce: string },
): Promise<MediumRequest> {
  const { server, host = userNetHost, overlay } = options;
  const dir = resources.tempDir();
  const token = options.token === undefined ? await server.token() : options.token;
  return {
    dir,
    assetsDir: server.assetsDir,
    server: {
      url: server.url(host),
      pin: options.hasPin === false ? null : server.process.pin,
      bootUrl: server.bootUrl(host),
    },
    token,
    append: options.append ?? '',
    overlay: overlay === undefined ? undefined : writeOverlay(resources, overlay, nonce),
    iso: async () => {
      const file = join(dir, 'installer.iso');
      await server.downloadIso(file, { host, token });
      return file;
    },
    expect: async () => await server.expect(identity.macs),
  };
}
