import type { CommandLedger } from '../../agent/commands/command-ledger.ts';
import type { CommandHandlers } from '../../agent/commands/command-table.ts';
import { collectFacts, type HardwareOptions } from '../../agent/hardware/collect-facts.ts';
import type { SetClock } from '../../agent/identity/fetch-server-ca.ts';
import type { MachineIdentity } from '../../agent/identity/read-identity.ts';
import type { Outbox } from '../../agent/link/outbox.ts';
import type { LinkTimings } from '../../agent/link/run-link.ts';
import { type EndpointConfig, ServerEndpoint } from '../../agent/link/server-endpoint.ts';
import { runAgent } from '../../agent/run-agent.ts';
import { isAbortOf, sleep, throwIfAborted } from '../../core/base/abort.ts';
import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { MachineKey } from '../identity/machine-key.ts';
import type { Network, Probe } from '../network/network.ts';
import type { ServerChoice } from '../settings/server-choice.ts';
import { endpointConfig, type ServerSettings } from '../settings/server-settings.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import { type EnrolTimings, enrolMachine } from './enrol-machine.ts';
import { showAgentEvent } from './show-agent-event.ts';
import type { TroubleBoard, TroubleSubject } from './trouble-board.ts';
import { troubleOf } from './trouble-of.ts';

export interface BelongOptions {
  readonly choice: ServerChoice;
  /** Looked for on the disks while the links come up. */
  readonly key: Promise<MachineKey>;
  readonly network: Network;
  readonly probeOf: (server: EndpointConfig, clock: ProbeClock) => Probe;
  readonly board: TroubleBoard;
  readonly emit: (event: InstallerEvent) => void;
  readonly log: Logger;
  /** `durantic.proxy` */
  readonly proxy: string | null;
  readonly setClock: SetClock;
  readonly hardware: HardwareOptions;
  readonly outbox: Outbox;
  readonly ledger: CommandLedger;
  readonly handlersFor: (identity: MachineIdentity) => CommandHandlers;
  readonly timings?: { readonly enrol?: EnrolTimings; readonly link?: LinkTimings };
  readonly signal: AbortSignal;
}

/** What a probe does about a clock that cannot be right. */
export interface ProbeClock {
  readonly setClock: SetClock;
  readonly onClockSet: (from: Date, to: Date) => void;
}

/** Between two tries of a machine that the server lets enrol and then refuses. */
const refusedPauseMs = 30_000;

/**
 * Makes the machine one of its server's, and keeps it there: the network looks for the server, the machine enrols unless
 * it has a name already, the agent runs. Begins anew with another server when somebody names one, and with a new
 * enrolment of the same key when the server does not know the machine any more. Ends with the signal.
 */
export async function belongToServer(options: BelongOptions): Promise<void> {
  const { choice, signal } = options;
  while (!signal.aborted) {
    try {
      const server = await choice.known(signal);
      const { changed } = choice;
      const service = new Service(options, server, AbortSignal.any([signal, changed]));
      try {
        await service.run();
      } catch (error) {
        if (!isAbortOf(error, changed)) throw error;
      }
    } catch (error) {
      if (!isAbortOf(error, signal)) throw error;
    }
  }
}

/** The machine at one server. */
class Service {
  readonly #options: BelongOptions;
  readonly #server: ServerSettings;
  readonly #signal: AbortSignal;
  readonly #config: EndpointConfig;
  /** Refusals since the server last took the machine in. */
  #refusals = 0;
  #shownUuid: string | null = null;
  /** Link → system error by which it does not reach the server. */
  readonly #errnos = new Map<string, string>();

  constructor(options: BelongOptions, server: ServerSettings, signal: AbortSignal) {
    this.#options = options;
    this.#server = server;
    this.#signal = signal;
    this.#config = endpointConfig(server, options.proxy);
  }

  /** @throws ProvisionError `aborted`. */
  async run(): Promise<never> {
    const { network, board } = this.#options;
    board.clear('server', 'approval', 'token');
    network.setProbe(this.#watchedProbe());
    const key = await this.#options.key;
    await network.working(this.#signal);
    await key.settle();
    for (;;) {
      await this.#runAgent(key, key.identity ?? (await this.#enrol(key)));
    }
  }

  /** What keeps the links from the server concerns the whole machine as well: a pin is wrong on all of them. */
  #watchedProbe(): Probe {
    const { setClock, emit } = this.#options;
    const onClockSet = (from: Date, to: Date): void => emit(clockSet(from, to));
    const probe = this.#options.probeOf(this.#config, { setClock, onClockSet });
    return async (route, signal) => {
      try {
        await probe(route, signal);
      } catch (error) {
        if (!signal.aborted) this.#show('server', this.#byAnyLink(route.name, asProvisionError(error)), null);
        throw error;
      }
      this.#errnos.clear();
      this.#options.board.clear('server');
    };
  }

  /** Why one link does not reach the server stands beside that link. */
  #byAnyLink(link: string, error: ProvisionError): ProvisionError {
    if (error.code !== 'server_unreachable') return error;
    this.#errnos.set(link, String(error.facts['errno'] ?? ''));
    const [errno, ...others] = new Set(this.#errnos.values());
    const { host } = new URL(this.#server.server);
    return new ProvisionError('server_unreachable', `the server ${host} cannot be reached by any link yet`, {
      facts: { errno: others.length === 0 ? (errno ?? '') : '' },
    });
  }

  async #enrol(key: MachineKey): Promise<MachineIdentity> {
    const { choice, board, emit, setClock, hardware, timings } = this.#options;
    await using endpoint = new ServerEndpoint({
      config: this.#config,
      setClock,
      onClockSet: (from, to) => emit(clockSet(from, to)),
    });
    const machineUuid = await enrolMachine({
      ...{ endpoint, emit, signal: this.#signal, keys: key.keys, token: this.#server.token },
      facts: async () => await collectFacts('installer', hardware),
      onTrouble: (subject, error, retryInMs) => {
        if (error === null) board.set(subject, null);
        else this.#trouble(subject, error, retryInMs);
      },
      ...(timings?.enrol === undefined ? {} : { timings: timings.enrol }),
    });
    board.clear('server', 'approval', 'token');
    choice.settled();
    const identity = key.enrolled(machineUuid);
    this.#showMachine(machineUuid);
    return identity;
  }

  /** An identity that was found is one only when the server has taken it. */
  #showMachine(machineUuid: string): void {
    if (this.#shownUuid === machineUuid) return;
    this.#shownUuid = machineUuid;
    this.#options.emit({ kind: 'enrolled', machineUuid });
  }

  /** Until the server does not know the machine by this key. */
  async #runAgent(key: MachineKey, identity: MachineIdentity): Promise<void> {
    const options = this.#options;
    const config = this.#config;
    const { outbox, ledger, hardware, setClock, board, choice, log, emit, timings } = options;
    try {
      await runAgent({
        ...{ mode: 'installer', config, identity, outbox, ledger, setClock, hardware, signal: this.#signal },
        handlers: options.handlersFor(identity),
        system: { installed_provision_uuid: null, root_disk: null },
        endOn: ['machine_unknown', 'agent_refused'],
        onEvent: (event) =>
          showAgentEvent(event, {
            ...{ emit, log },
            onConnected: () => {
              this.#refusals = 0;
              this.#showMachine(identity.machine_uuid);
              board.clear('server');
              choice.settled();
            },
            onDisconnected: ({ code, message, retryInMs }) =>
              this.#trouble('server', new ProvisionError(code, message), retryInMs),
          }),
        ...(timings?.link === undefined ? {} : { timings: timings.link }),
      });
    } catch (error) {
      const refusal = asProvisionError(error);
      if (refusal.code !== 'machine_unknown' && refusal.code !== 'agent_refused') throw error;
      key.forgetMachine();
      await this.#afterRefusal(refusal);
      return;
    }
    // It returns without an error when it was aborted, and only then.
    throwIfAborted(this.#signal);
  }

  /** At once the first time, then with pauses: a server may know the key and refuse the machine all the same. */
  async #afterRefusal(refusal: ProvisionError): Promise<void> {
    this.#refusals += 1;
    const pauseMs = this.#refusals === 1 ? 0 : refusedPauseMs;
    this.#trouble('server', refusal, pauseMs);
    await sleep(pauseMs, this.#signal);
  }

  #trouble(subject: TroubleSubject, error: ProvisionError, retryInMs: number | null): void {
    this.#show(subject, error, retryInMs);
    // A server that answers, whatever it says, is one that the link reaches.
    if (error.code === 'server_unreachable' || error.code === 'link_lost') this.#options.network.doubt();
  }

  #show(subject: TroubleSubject, error: ProvisionError, retryInMs: number | null): void {
    const { board, choice } = this.#options;
    board.set(subject, troubleOf(error, { hasPin: this.#server.pin !== null, retryInMs }));
    choice.reconsider(error);
  }
}

function clockSet(from: Date, to: Date): InstallerEvent {
  return { kind: 'clock_set', from: from.toISOString(), to: to.toISOString() };
}
