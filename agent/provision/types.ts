import type { DiskState, ErrorFacts } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { NamedCredentials } from '../../core/oci/auth.ts';
import type { RetryPolicy } from '../../core/oci/blob-download.ts';
import type { Platform } from '../../core/oci/types.ts';
import type { StepId } from '../../protocol/provision-event.ts';
import type { SectorBytes } from '../disk/types.ts';
import type { MachineIdentity } from '../identity/read-identity.ts';
import type { LinkDescription } from '../rootfs/network-config-from-link.ts';
import type { StepProgress } from './provision-events.ts';

/** Firmware that must be able to boot the disk; `either` where it is not known (files, loop devices). */
export type Firmware = 'bios' | 'uefi' | 'either';

/** Everything an installation is told. Documents are contents, not paths. */
export interface ProvisionRequest {
  readonly provisionUuid: string;
  /** Registry reference or `oci:DIR[:TAG]`. */
  readonly image: string;
  /** Block device, existing plain file, or a name or rule as `target_disk`; null = the only eligible disk. */
  readonly disk: string | null;
  /** How long a disk that is not there is waited for (failure row F20), milliseconds. */
  readonly diskWaitMs: number;
  /** Logical sector size of the loop device made for a plain file. */
  readonly sectorBytes: SectorBytes;
  readonly platform: Platform;
  readonly plainHttp: boolean;
  readonly registryCaFile: string | null;
  /** User names and passwords of registries; none: anonymous. */
  readonly credentials: readonly NamedCredentials[];
  /** HTTP proxy on the way to the registry. */
  readonly proxy: string | null;
  /** How long a layer's download is tried again; default as `openRegistrySource` has it. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  readonly userData: string | null;
  readonly metaData: string | null;
  readonly vendorData: string | null;
  readonly networkConfig: string | null;
  /** The link that the machine is reached by, for a network-config where none is given; null = not known. */
  readonly link: LinkDescription | null;
  readonly hostname: string | null;
  readonly appendKargs: readonly string[];
  readonly injectAgent: boolean;
  /** Contents of agent.yaml. */
  readonly agentConfig: string | null;
  /** What the injected agent is known as; null leaves it to enrol by itself. */
  readonly identity: MachineIdentity | null;
  /** Bundle file or folder; null = the one this program runs from. */
  readonly agentBundle: string | null;
  readonly boot: 'none' | 'kexec' | 'reboot';
  /** Read everything back from the medium and compare before the disk is made bootable. */
  readonly readBack: boolean;
}

/** What a step is given. A step sets no state outside it and starts no other step. */
export interface StepContext {
  readonly step: StepId;
  readonly signal: AbortSignal;
  readonly log: Logger;
  progress(progress: StepProgress): void;
  warn(message: string, facts?: ErrorFacts): void;
  /** Says how far the disk has come, for whatever error may follow. */
  setDiskState(state: DiskState): void;
}

/** What a step gives back: its outcome in one sentence, and a value for the steps after it. */
export interface StepResult<T> {
  readonly outcome: 'succeeded' | 'skipped';
  readonly message: string;
  readonly facts?: ErrorFacts;
  readonly value: T;
}
