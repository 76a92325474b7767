import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyPair, type MachineIdentity, readIdentity } from '../../agent/identity/read-identity.ts';
import { keyForEnrolment, writeIdentity } from '../../agent/identity/write-identity.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import type { LocalSystem, LocalSystems } from './find-local-systems.ts';

export interface OpenMachineKeyOptions {
  /** `/var/lib/durantic`, in the installer's memory. */
  readonly stateDir: string;
  /** What the old system has handed over. */
  readonly carried: MachineIdentity | null;
  /** Looks on the local disks; not called where the key is known already. Called again, it looks at those that have come since. */
  readonly search: () => Promise<LocalSystems>;
  readonly emit: (event: InstallerEvent) => void;
}

/** The key of this machine, and the name that a server has given it. */
export class MachineKey {
  readonly #options: OpenMachineKeyOptions;
  #keys: KeyPair;
  #machineUuid: string | null;
  /** It was made here, and no server has seen it: one on a disk is better. */
  #isSpare = false;

  private constructor(options: OpenMachineKeyOptions, keys: KeyPair, machineUuid: string | null) {
    this.#options = options;
    this.#keys = keysOf(keys);
    this.#machineUuid = machineUuid;
  }

  /**
   * The key that was handed over, the one that an installation on a local disk has, or a new one, which stays in memory
   * until it is written to a disk (protocol.md, "Machine identity").
   * @throws ProvisionError `permission`, `aborted`.
   */
  static async open(options: OpenMachineKeyOptions): Promise<MachineKey> {
    const { stateDir, emit } = options;
    const file = fileIn(stateDir);
    const of = (identity: MachineIdentity): MachineKey => new MachineKey(options, identity, identity.machine_uuid);
    const kept = readKept(file);
    if (kept !== null) {
      emit({ kind: 'identity', origin: 'carried', detail: 'kept since the installer was started' });
      return of(kept);
    }
    if (options.carried !== null) {
      writeIdentity(file, options.carried);
      emit({ kind: 'identity', origin: 'carried', detail: 'handed over by the system that ran before' });
      return of(options.carried);
    }
    const found = await findIdentity(options);
    if (found !== null) return of(found);
    emit({ kind: 'identity', origin: 'made', detail: null });
    const made = new MachineKey(options, keyForEnrolment(file), null);
    made.#isSpare = true;
    return made;
  }

  get keys(): KeyPair {
    return this.#keys;
  }

  /**
   * To be called before a server is shown the key: where a new one was made, a disk may have come since that has this
   * machine's own. After that the key stays what it is.
   * @throws ProvisionError `permission`, `aborted`.
   */
  async settle(): Promise<void> {
    if (!this.#isSpare) return;
    const found = await findIdentity(this.#options);
    this.#isSpare = false;
    if (found === null) return;
    this.#keys = keysOf(found);
    this.#machineUuid = found.machine_uuid;
  }

  /** Null until the machine has enrolled. */
  get identity(): MachineIdentity | null {
    return this.#machineUuid === null ? null : { machine_uuid: this.#machineUuid, ...this.#keys };
  }

  /** The server knows the key by this name from now on. @throws ProvisionError `permission`. */
  enrolled(machineUuid: string): MachineIdentity {
    const identity = { machine_uuid: machineUuid, ...this.#keys };
    writeIdentity(fileIn(this.#options.stateDir), identity);
    this.#machineUuid = machineUuid;
    return identity;
  }

  /** The server does not know the machine any more; its key enrols again. */
  forgetMachine(): void {
    this.#machineUuid = null;
  }
}

function fileIn(stateDir: string): string {
  return join(stateDir, 'identity.json');
}

function keysOf({ public_key, private_key }: KeyPair): KeyPair {
  return { public_key, private_key };
}

/** The identity of a system on a local disk, which is this machine's from now on; null where there is none. */
async function findIdentity({ stateDir, search, emit }: OpenMachineKeyOptions): Promise<MachineIdentity | null> {
  const { systems, passedOver } = await search();
  for (const text of passedOver) emit({ kind: 'notice', text });
  const [chosen, ...others] = systems.filter(hasIdentity);
  if (chosen === undefined) return null;
  writeIdentity(fileIn(stateDir), chosen.identity);
  emit({ kind: 'identity', origin: 'found', detail: describeChoice(chosen, others) });
  return chosen.identity;
}

/** Left by an installer that ended and was started again; a damaged one must not stop this one. */
function readKept(file: string): MachineIdentity | null {
  try {
    return readIdentity(file);
  } catch (error) {
    if (!(error instanceof ProvisionError) || error.code !== 'document_invalid') throw error;
    rmSync(file);
    return null;
  }
}

type SystemWithIdentity = LocalSystem & { readonly identity: MachineIdentity };

function hasIdentity(system: LocalSystem): system is SystemWithIdentity {
  return system.identity !== null;
}

function describeChoice(chosen: SystemWithIdentity, others: readonly SystemWithIdentity[]): string {
  const foreign = others.filter(({ identity }) => identity.public_key.x !== chosen.identity.public_key.x);
  const also = foreign.map((other) => `; not used: the older one on ${describeSystem(other)}`).join('');
  return `on ${describeSystem(chosen)}${also}`;
}

function describeSystem({ device, disk, record }: LocalSystem): string {
  const serial = disk.serial === null ? '' : `, serial ${disk.serial}`;
  const when = record === null ? 'not installed by durantic' : `installed ${record.installed_at.slice(0, 10)}`;
  return `${device} (${when}${serial})`;
}
