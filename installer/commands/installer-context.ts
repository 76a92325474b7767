import type { LeaveBy } from '../../agent/boot/reboot.ts';
import type { MachineIdentity } from '../../agent/identity/read-identity.ts';
import type { Outbox } from '../../agent/link/outbox.ts';
import type { DiskState } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { LocalSystems } from '../identity/find-local-systems.ts';
import type { WorkingLink } from '../network/network.ts';
import type { InstallerEvent } from '../state/installer-events.ts';

/** What the commands of the installer work with. */
export interface InstallerContext {
  readonly identity: MachineIdentity;
  readonly outbox: Outbox;
  readonly emit: (event: InstallerEvent) => void;
  readonly log: Logger;
  /** `/run/durantic` */
  readonly runDir: string;
  /** The proxy that the installer itself takes. */
  readonly proxy: string | null;
  /** The link that works now, or null. */
  readonly workingLink: () => WorkingLink | null;
  /** Leaves the running system; returns only where a test has injected it, throws when the machine stays. */
  readonly leave: (how: LeaveBy, signal: AbortSignal) => Promise<void>;
  /** Systems of durantic on the local disks as they are now. */
  readonly findSystems: (signal: AbortSignal) => Promise<LocalSystems>;
  /** Bundle of the agent that is injected; null = the one that this program runs from. */
  readonly agentBundle: string | null;
  readonly timings?: CommandTimings;
}

export interface CommandTimings {
  /** How long the last acknowledgement is waited for; default 30 s. */
  readonly farewellMs?: number;
  /** How long a target that is not there is waited for; default 2 minutes. */
  readonly diskWaitMs?: number;
}

/** How the last installation ended, for who asks for its cancellation. */
export interface LastRun {
  readonly provisionUuid: string;
  readonly diskState: DiskState;
  /** Its system is complete and the machine leaves for it. */
  readonly isLeaving: boolean;
}
