import { diskStateSentences } from '../../core/base/disk-state-sentence.ts';
import { formatBytes } from '../../core/base/format-bytes.ts';
import { formatDuration } from '../../core/base/format-duration.ts';
import type { DiskReport, LinkReport, LinkStage, MachineName } from '../state/installer-events.ts';
import type { CommandState, InstallerState } from '../state/installer-state.ts';
import type { ProvisionOutcome, ProvisionState } from '../state/provision-state.ts';
import { adviceFor } from './advice.ts';

/** The time as a display needs it. The clock may be set meanwhile; the uptime is not. */
export interface DisplayClock {
  readonly nowMs: number;
  readonly uptimeSeconds: number;
}

const stageSentences: Readonly<Record<LinkStage, string>> = {
  unused: 'not used',
  no_carrier: 'waits for the carrier',
  asking: 'asks for an address',
  // Whether a server is looked for already, the rest of the screen says.
  probing: 'has an address',
  reached: 'reaches the server',
  failed: 'failed, tries again',
};

/** Where the sentence of the stage says nothing beside the detail. */
const isReplacedByDetail: ReadonlySet<LinkStage> = new Set(['unused', 'failed', 'no_carrier']);
/** Where the detail, or nobody, says for how long. */
const isTimeless: ReadonlySet<LinkStage> = new Set(['unused', 'failed', 'reached']);

/**
 * What a link does: `asks for an address: no DHCP server has answered`.
 * @param clock With it, for how long: `asks for an address (12 s): no ...`.
 */
export function describeStage({ stage, detail, sinceMs }: LinkReport, clock?: DisplayClock): string {
  const isTimed = clock !== undefined && !isTimeless.has(stage) && !(stage === 'asking' && detail !== null);
  const seconds = isTimed ? secondsSince(sinceMs, clock) : null;
  const elapsed = seconds === null ? '' : ` (${formatDuration(Math.floor(seconds))})`;
  if (detail !== null && isReplacedByDetail.has(stage)) return `${detail}${elapsed}`;
  return `${stageSentences[stage]}${elapsed}${detail === null ? '' : `: ${detail}`}`;
}

/** `10 Gbit/s`; empty when the driver does not say. */
export function describeSpeed(speedMbps: number | null): string {
  if (speedMbps === null) return '';
  return speedMbps >= 1000 ? `${Number((speedMbps / 1000).toFixed(1))} Gbit/s` : `${speedMbps} Mbit/s`;
}

/** What a link is: MAC address, driver, speed and whence it comes. */
export function describeLink({ macAddress, driver, speedMbps, isBootLink, isUsbGadget }: LinkReport): string {
  const parts = [macAddress, driver ?? '', describeSpeed(speedMbps)];
  if (isBootLink) parts.push('booted from it');
  if (isUsbGadget) parts.push('USB, of the BMC');
  return parts.filter((part) => part !== '').join(', ');
}

/** Seconds since a time, or null for one that cannot be true: a clock was set in between. */
export function secondsSince(sinceMs: number, { nowMs, uptimeSeconds }: DisplayClock): number | null {
  const seconds = (nowMs - sinceMs) / 1000;
  return seconds < 0 || seconds > uptimeSeconds + 1 ? null : seconds;
}

/** `64 GiB`, as memory is sold; the kernel's own share is not counted: `62.5 GiB`. */
export function describeMemory(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${Number((mib / 1024).toFixed(1))} GiB`;
}

/** `Dell Inc. PowerEdge R640`; empty when the firmware says nothing. */
export function describeMachine({ vendor, product }: MachineName): string {
  return [vendor, product].filter((part) => part !== null && part !== '').join(' ');
}

/** `/dev/nvme0n1  960 GB  SAMSUNG MZ7 S1234 (cannot be a target: it is the boot medium)` */
export function describeDisk({ path, sizeBytes, model, serial, refusal }: DiskReport): string {
  const parts = [path, formatBytes(sizeBytes), model ?? '', serial ?? ''].filter((part) => part !== '');
  return `${parts.join('  ')}${refusal === null ? '' : `  (not a target: ${refusal})`}`;
}

/** The link to be named in a headline: the one that reached the server, else the first that has an address. */
export function headlineLink({ links, workingLink }: InstallerState): LinkReport | null {
  const working = links.find(({ name }) => name === workingLink);
  return working ?? links.find(({ stage, addresses }) => stage === 'probing' && addresses.length > 0) ?? null;
}

/** The addresses of the link that reached the server; empty while there is none. */
export function workingAddresses(state: InstallerState): readonly string[] {
  return state.links.find(({ name }) => name === state.workingLink)?.addresses ?? [];
}

/** `1.2 GB of 3.4 GB, 120 MB/s, 18 s left`; empty when the step counts no bytes. */
export function describeAmounts({ bytesDone, bytesTotal, rateBps }: ProvisionState): string {
  if (bytesDone === null) return '';
  const parts = [
    bytesTotal === null ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
  ];
  if (rateBps !== null && rateBps > 0) {
    parts.push(`${formatBytes(rateBps)}/s`);
    if (bytesTotal !== null && bytesDone < bytesTotal) {
      parts.push(`${formatDuration((bytesTotal - bytesDone) / rateBps)} left`);
    }
  }
  return parts.join(', ');
}

/** What a failed installation means: the disk's state and what to do, sentence by sentence. */
export function describeFailure(outcome: ProvisionOutcome): { readonly disk: string; readonly todo: string } {
  return {
    disk: outcome.diskState === null ? '' : diskStateSentences[outcome.diskState],
    todo: adviceFor(outcome.code ?? 'unknown'),
  };
}

const leavingSentences = {
  reboot: 'The machine restarts now',
  kexec: 'The new system is started now, without a restart of the firmware',
  poweroff: 'The machine is switched off now',
} as const;

/** What follows the installer. */
export function describeLeaving({ how, detail }: NonNullable<InstallerState['leaving']>): string {
  return `${leavingSentences[how]}${detail === null ? '' : `: ${detail}`}`;
}

const commandStates: Readonly<Record<CommandState['state'], string>> = {
  taken: 'begun',
  done: 'done',
  failed: 'failed',
  rejected: 'rejected',
};

/** `WipeDisks: failed: the disk is busy` */
export function describeCommand({ name, state, reason }: CommandState): string {
  return `${name}: ${commandStates[state]}${reason === null ? '' : `: ${reason}`}`;
}

/** Is there a connection to the server, and if not, why. Null before the first attempt. */
export function describeConnection({ connection }: InstallerState): string | null {
  if (connection === null) return null;
  const sentence = connection.isConnected ? 'connected' : 'not connected, tries again';
  return connection.detail === null ? sentence : `${sentence}: ${connection.detail}`;
}

const origins = {
  found: 'found on a disk of this machine',
  carried: 'handed over by the system that ran before',
  made: 'made new',
} as const;

/** Whose key the installer uses. Null before it is known. */
export function describeIdentity({ identity }: InstallerState): string | null {
  if (identity === null) return null;
  return `${origins[identity.origin]}${identity.detail === null ? '' : ` (${identity.detail})`}`;
}
