import { ProvisionError } from '../../core/base/errors.ts';
import { type AgentConfig, readAgentConfig } from '../config/read-agent-config.ts';
import { type AgentConfigChange, writeAgentConfig } from '../config/write-agent-config.ts';
import { collectFacts } from '../hardware/collect-facts.ts';
import { type EndpointConfig, ServerEndpoint } from '../link/server-endpoint.ts';
import { enrollWithToken } from './enroll-with-token.ts';
import type { SetClock } from './fetch-server-ca.ts';
import { readIdentity } from './read-identity.ts';
import { type ApprovalEvent, requestApproval } from './request-approval.ts';
import { keyForEnrolment, writeIdentity } from './write-identity.ts';

export interface EnrollMachineOptions {
  readonly server: string;
  readonly pin?: string;
  /** PEM. */
  readonly ca?: string;
  readonly plainHttp: boolean;
  /** Null: an operator approves the machine by its code. */
  readonly token: string | null;
  readonly configFile: string;
  readonly identityFile: string;
  /** Leave the server that the machine belongs to. */
  readonly force: boolean;
  readonly setClock: SetClock;
  readonly onEvent: (event: EnrollEvent) => void;
  readonly signal: AbortSignal;
  /** How often a server that is not there is tried. */
  readonly attempts?: number;
}

export type EnrollEvent =
  | ApprovalEvent
  | { readonly kind: 'retrying'; readonly error: ProvisionError; readonly delayMs: number }
  | { readonly kind: 'clock_set'; readonly from: Date; readonly to: Date };

/**
 * First contact of an installed machine: makes a key where there is none, enrols it, writes identity.json and then
 * agent.yaml, which starts a waiting agent. The same key gives the same machine, so that it may be run again.
 * @throws ProvisionError `already_enrolled`, and what enrolment, files and the way to the server throw.
 */
export async function enrollMachine(options: EnrollMachineOptions): Promise<string> {
  const { configFile, identityFile, signal, onEvent } = options;
  const existing = readAgentConfig(configFile);
  const change = changeFor(options, existing);
  refuseOtherServer(options, existing);
  const config: EndpointConfig = { ...withoutNulls({ ...existing, ...change }), server: options.server };
  await using endpoint = new ServerEndpoint({
    config,
    setClock: options.setClock,
    onClockSet: (from, to) => onEvent({ kind: 'clock_set', from, to }),
  });
  const keys = keyForEnrolment(identityFile);
  const common = { endpoint, keys, facts: await collectFacts('installed'), signal };
  const machineUuid =
    options.token === null ? await requestApproval({ ...common, onEvent }) : await byToken(options, common);
  writeIdentity(identityFile, { machine_uuid: machineUuid, ...keys });
  writeAgentConfig(configFile, change);
  return machineUuid;
}

async function byToken(
  options: EnrollMachineOptions,
  common: Omit<Parameters<typeof enrollWithToken>[0], 'token'>,
): Promise<string> {
  const reply = await enrollWithToken({
    ...common,
    token: options.token ?? '',
    onRetry: (error, delayMs) => options.onEvent({ kind: 'retrying', error, delayMs }),
    ...(options.attempts === undefined ? {} : { attempts: options.attempts }),
  });
  return reply.machine_uuid;
}

function refuseOtherServer(options: EnrollMachineOptions, existing: AgentConfig | null): void {
  if (existing === null || options.force || readIdentity(options.identityFile) === null) return;
  if (new URL(existing.server).origin === new URL(options.server).origin) return;
  throw new ProvisionError(
    'already_enrolled',
    `this machine belongs to ${existing.server}; to leave it for ${options.server}, say --force`,
    { facts: { server: existing.server, asked: options.server } },
  );
}

/** What becomes of agent.yaml: trust that was given for another server does not hold for this one. */
function changeFor(options: EnrollMachineOptions, existing: AgentConfig | null): AgentConfigChange {
  const isSame = existing !== null && new URL(existing.server).origin === new URL(options.server).origin;
  const given: AgentConfigChange = {
    server: new URL(options.server).origin,
    ...(options.pin === undefined ? {} : { pin: options.pin }),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.plainHttp ? { plain_http: true } : {}),
  };
  return isSame ? given : { pin: null, ca: null, plain_http: null, ...given };
}

function withoutNulls(config: AgentConfigChange): Omit<EndpointConfig, 'server'> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}
