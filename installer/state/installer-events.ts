import type { ErrorCode } from '../../core/base/error-codes.ts';
import type { ProvisionEvent } from '../../protocol/provision-event.ts';

/** How far a link has come on its way to the server. */
export type LinkStage =
  /** Known, not used: another interface was asked for, or another link won. */
  | 'unused'
  /** Set up, without carrier: no cable, or the other side is off. */
  | 'no_carrier'
  /** Carrier; asks for an address. */
  | 'asking'
  /** Has an address; the server is not known or is being looked for. */
  | 'probing'
  /** The server answers by this link. */
  | 'reached'
  /** The last attempt failed; it goes on by itself. */
  | 'failed';

/** What a screen shows of one network link. A link is replaced as a whole, by name. */
export interface LinkReport {
  /** Kernel name, with `.ID` for a VLAN. */
  readonly name: string;
  readonly macAddress: string;
  readonly driver: string | null;
  /** The network that a management controller offers over USB: tried last. */
  readonly isUsbGadget: boolean;
  /** The link that the firmware booted from (`BOOTIF=`). */
  readonly isBootLink: boolean;
  /** The kernel command line names other links only: this one is never used. */
  readonly isExcluded: boolean;
  readonly stage: LinkStage;
  /** Mbit/s; null where the driver does not say. */
  readonly speedMbps: number | null;
  /** In CIDR form, without link-local ones. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  /** Milliseconds since 1970 (monotonic enough for a display) at which this stage began. */
  readonly sinceMs: number;
  /** One sentence without full stop: what it waits for or why it failed; null when there is nothing to say. */
  readonly detail: string | null;
}

/** Something that stands in the way and is tried again by itself. */
export interface Trouble {
  readonly code: ErrorCode;
  /** What happened, one sentence. */
  readonly what: string;
  /** What a person can do about it, one sentence. */
  readonly todo: string;
  /** When it is tried again, milliseconds since 1970; null: it goes on as soon as the cause is gone. */
  readonly retryAtMs: number | null;
}

/** The machine as its firmware names it. */
export interface MachineName {
  readonly vendor: string | null;
  readonly product: string | null;
  readonly serial: string | null;
  readonly smbiosUuid: string | null;
}

export interface DiskReport {
  /** `/dev/nvme0n1`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly model: string | null;
  readonly serial: string | null;
  /** Why it can never be a target; null for one that can. */
  readonly refusal: string | null;
}

/**
 * Everything that happens in the installer and that a person may see. Screen, serial lines, log and tests are fed with
 * these and with nothing else (style.md, pattern 8).
 */
export type InstallerEvent =
  | {
      readonly kind: 'started';
      readonly version: string;
      readonly machine: MachineName;
      readonly memoryBytes: number;
      /** Sentences about kernel parameters that could not be used, and names of unknown ones. */
      readonly parameterProblems: readonly string[];
      /** How the installer ended before this start; null at the first. */
      readonly crash: string | null;
    }
  | { readonly kind: 'disks'; readonly disks: readonly DiskReport[] }
  | { readonly kind: 'link'; readonly link: LinkReport }
  | { readonly kind: 'link_gone'; readonly name: string }
  /** The link that reached the server, or null when it does not any more. */
  | { readonly kind: 'working_link'; readonly name: string | null }
  /** Where the installer belongs to; null until somebody says it. */
  | { readonly kind: 'server'; readonly server: string | null; readonly pin: string | null }
  /** Somebody must answer at a console (`durantic.server` was not given); `problem` says why the last answer was not taken. */
  | { readonly kind: 'question'; readonly question: Question | null }
  | { readonly kind: 'clock_set'; readonly from: string; readonly to: string }
  /** Whose key it is: found on a disk, handed over by the old system, or made here. */
  | { readonly kind: 'identity'; readonly origin: 'found' | 'carried' | 'made'; readonly detail: string | null }
  | { readonly kind: 'enrolling'; readonly way: 'token' | 'approval' }
  /** `XXX-XXX` on a screen; null when it is answered. */
  | { readonly kind: 'approval'; readonly approval: { readonly code: string; readonly expiresAt: string } | null }
  | { readonly kind: 'enrolled'; readonly machineUuid: string }
  | { readonly kind: 'connected'; readonly isConnected: boolean; readonly detail: string | null }
  /** What stands in the way now; null when it is gone. */
  | { readonly kind: 'trouble'; readonly trouble: Trouble | null }
  | {
      readonly kind: 'command';
      readonly name: string;
      readonly state: 'taken' | 'done' | 'failed' | 'rejected';
      readonly reason: string | null;
    }
  | {
      readonly kind: 'provision_started';
      readonly provisionUuid: string;
      readonly image: string;
      readonly disk: string | null;
    }
  | { readonly kind: 'provision'; readonly event: ProvisionEvent }
  /** The installer hands over; nothing follows but the next system. */
  | { readonly kind: 'leaving'; readonly how: 'reboot' | 'kexec' | 'poweroff'; readonly detail: string | null }
  /** A remote shell is there; `fingerprint` is the host key's. */
  | { readonly kind: 'remote_shell'; readonly port: number; readonly fingerprint: string }
  /** A shell on the machine's own consoles (`durantic.shell`): the keys that lead to it on the screen, `Alt+F2`. */
  | { readonly kind: 'rescue_shell'; readonly keys: string }
  /** Anything else worth a line, once. */
  | { readonly kind: 'notice'; readonly text: string };

export interface Question {
  readonly name: 'server';
  readonly prompt: string;
  readonly problem: string | null;
}
