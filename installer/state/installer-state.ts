import type { ProvisionEvent } from '../../protocol/provision-event.ts';
import type { DiskReport, InstallerEvent, LinkReport, MachineName, Question, Trouble } from './installer-events.ts';
import { type ProvisionState, provisionFrom, reduceProvision } from './provision-state.ts';

/** The facts as they stand: what every console shows is made of this and of nothing else. */
export interface InstallerState {
  /** Null until the installer has said what it is. */
  readonly version: string | null;
  readonly machine: MachineName;
  readonly memoryBytes: number | null;
  readonly parameterProblems: readonly string[];
  readonly crash: string | null;
  /** Null until the disks were looked at. */
  readonly disks: readonly DiskReport[] | null;
  /** In the order in which they were first seen. */
  readonly links: readonly LinkReport[];
  readonly workingLink: string | null;
  readonly server: string | null;
  readonly pin: string | null;
  readonly question: Question | null;
  readonly clockSet: { readonly from: string; readonly to: string } | null;
  readonly identity: { readonly origin: 'found' | 'carried' | 'made'; readonly detail: string | null } | null;
  /** The way that is being gone; null when nothing is asked of the server, or when it has answered. */
  readonly enrolling: 'token' | 'approval' | null;
  readonly approval: { readonly code: string; readonly expiresAt: string } | null;
  readonly machineUuid: string | null;
  /** Null until it was tried. */
  readonly connection: { readonly isConnected: boolean; readonly detail: string | null } | null;
  readonly trouble: Trouble | null;
  readonly command: CommandState | null;
  /** The installation that runs, or the last one: a failed one stays until the next begins. */
  readonly provision: ProvisionState | null;
  readonly leaving: { readonly how: 'reboot' | 'kexec' | 'poweroff'; readonly detail: string | null } | null;
  readonly remoteShell: { readonly port: number; readonly fingerprint: string } | null;
  readonly rescueShellKeys: string | null;
  /** The newest last. */
  readonly notices: readonly string[];
}

export interface CommandState {
  readonly name: string;
  readonly state: 'taken' | 'done' | 'failed' | 'rejected';
  readonly reason: string | null;
}

const longestNotices = 5;

export const initialInstallerState: InstallerState = {
  version: null,
  machine: { vendor: null, product: null, serial: null, smbiosUuid: null },
  memoryBytes: null,
  parameterProblems: [],
  crash: null,
  disks: null,
  links: [],
  workingLink: null,
  server: null,
  pin: null,
  question: null,
  clockSet: null,
  identity: null,
  enrolling: null,
  approval: null,
  machineUuid: null,
  connection: null,
  trouble: null,
  command: null,
  provision: null,
  leaving: null,
  remoteShell: null,
  rescueShellKeys: null,
  notices: [],
};

/** The facts after this event. Never throws; a newer fact replaces an older one of its kind. */
export function reduceInstaller(state: InstallerState, event: InstallerEvent): InstallerState {
  switch (event.kind) {
    case 'started': {
      const { kind: _, ...started } = event;
      return { ...state, ...started };
    }
    case 'disks':
      return { ...state, disks: event.disks };
    case 'link':
      return { ...state, links: withLink(state.links, event.link) };
    case 'link_gone':
      return withoutLink(state, event.name);
    case 'working_link':
      return { ...state, workingLink: event.name };
    case 'server':
      return { ...state, server: event.server, pin: event.pin };
    case 'clock_set':
      return withClock(state, event);
    case 'question':
      return { ...state, question: event.question };
    case 'notice':
      return { ...state, notices: [...state.notices, event.text].slice(-longestNotices) };
    case 'leaving':
      return { ...state, leaving: { how: event.how, detail: event.detail } };
    case 'remote_shell':
      return { ...state, remoteShell: { port: event.port, fingerprint: event.fingerprint } };
    case 'rescue_shell':
      return { ...state, rescueShellKeys: event.keys };
    default:
      return reduceWork(state, event);
  }
}

type WorkEvent = Extract<
  InstallerEvent,
  {
    kind:
      | 'identity'
      | 'enrolling'
      | 'approval'
      | 'enrolled'
      | 'connected'
      | 'trouble'
      | 'command'
      | 'provision_started'
      | 'provision';
  }
>;

function reduceWork(state: InstallerState, event: WorkEvent): InstallerState {
  switch (event.kind) {
    case 'identity':
      return { ...state, identity: { origin: event.origin, detail: event.detail } };
    case 'enrolling':
      return { ...state, enrolling: event.way, machineUuid: null, connection: null };
    case 'approval':
      return { ...state, approval: event.approval };
    case 'enrolled':
      return { ...state, machineUuid: event.machineUuid, enrolling: null, approval: null };
    case 'connected':
      return { ...state, connection: { isConnected: event.isConnected, detail: event.detail } };
    case 'trouble':
      return { ...state, trouble: event.trouble };
    case 'command':
      return { ...state, command: { name: event.name, state: event.state, reason: event.reason } };
    case 'provision_started':
      return { ...state, provision: provisionFrom(event), leaving: null };
    case 'provision':
      return { ...state, provision: nextProvision(state.provision, event.event) };
  }
}

function nextProvision(provision: ProvisionState | null, event: ProvisionEvent): ProvisionState {
  const isSame = provision?.provisionUuid === event.provision_uuid;
  const known = isSame ? provision : provisionFrom({ provisionUuid: event.provision_uuid, image: null, disk: null });
  return reduceProvision(known, event);
}

function withLink(links: readonly LinkReport[], link: LinkReport): readonly LinkReport[] {
  const isKnown = links.some(({ name }) => name === link.name);
  return isKnown ? links.map((other) => (other.name === link.name ? link : other)) : [...links, link];
}

function withoutLink(state: InstallerState, name: string): InstallerState {
  return {
    ...state,
    links: state.links.filter((link) => link.name !== name),
    workingLink: state.workingLink === name ? null : state.workingLink,
  };
}

/** Times that were taken by the old clock are moved with it: fifty years of waiting for an address help nobody. */
function withClock(
  state: InstallerState,
  { from, to }: { readonly from: string; readonly to: string },
): InstallerState {
  const shiftMs = Date.parse(to) - Date.parse(from);
  const next = { ...state, clockSet: { from, to } };
  if (!Number.isFinite(shiftMs)) return next;
  const { trouble } = state;
  return {
    ...next,
    links: state.links.map((link) => ({ ...link, sinceMs: link.sinceMs + shiftMs })),
    trouble:
      trouble === null || trouble.retryAtMs === null ? trouble : { ...trouble, retryAtMs: trouble.retryAtMs + shiftMs },
  };
}
