import { describeError } from '../../core/base/describe-error.ts';
import type { ConnectTo } from '../../core/oci/create-dispatcher.ts';
import type { ServerContext } from '../context.ts';
import { ApiError, notFound } from '../http/api-error.ts';
import type { CommandQueue, ProvisionService, RenderMachine } from '../services.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, number, timeOrNull, timeText } from '../store/row-values.ts';
import { buildArgs } from './build-args.ts';
import { Observation } from './observation.ts';
import { prepareRun, waitingMessage } from './prepare-run.ts';
import { provisionListener } from './provision-listener.ts';
import { activeRuns, findActiveRun, findRun, type StoredRun } from './provision-store.ts';
import { findMachine, queueRun, type RunOrder } from './queue-run.ts';
import { limitDelays } from './resolve-delay.ts';
import { type RunDependencies, RunKeeper } from './run-keeper.ts';
import { type CancelReach, isTerminal } from './run-state.ts';

export interface RegistryAccess {
  /** PEM certificates of registries, trusted besides the system's roots, by server and agents. */
  readonly ca?: { readonly file: string; readonly pem: string } | undefined;
  /** Where this server finds a registry (`HOST:PORT`) that machines reach by its name. */
  readonly connectTo?: ConnectTo;
}

export interface ProvisionServiceDependencies extends RunDependencies {
  readonly renderMachine: RenderMachine;
  readonly registries?: RegistryAccess;
  /** Injectable for tests, 0 ≤ value < 1. */
  readonly random?: () => number;
}

/** How many runs are made ready at the same time: each may hold a connection to a registry. */
const mostPreparations = 8;
/** A machine is marked for network boot at least this long at a time, twice that when it is marked anew. */
const markMs = 15 * 60_000;

/**
 * Runs of installations: queued, made ready, watched until they have their one outcome. All that decides is in the
 * database, so that a server that is started again goes on where the last one ended.
 */
export function createProvisionService(
  context: ServerContext,
  dependencies: ProvisionServiceDependencies,
): ProvisionService {
  return new Provisions(context, dependencies);
}

class Provisions implements ProvisionService {
  readonly listener;
  readonly #context: ServerContext;
  readonly #dependencies: ProvisionServiceDependencies;
  readonly #keeper: RunKeeper;
  readonly #observation: Observation;
  readonly #closed = new AbortController();
  readonly #preparations = new Map<string, Promise<void>>();

  constructor(context: ServerContext, dependencies: ProvisionServiceDependencies) {
    this.#context = context;
    this.#dependencies = dependencies;
    this.#keeper = new RunKeeper(context, dependencies);
    this.#observation = new Observation(context);
    limitDelays(context);
    this.listener = provisionListener(context, this.#keeper);
  }

  readonly buildArgs = (runUuid: string) =>
    buildArgs(this.#context, runUuid, this.#dependencies.registries?.ca?.pem ?? null);

  queue(machineUuid: string, order: RunOrder = { boot: 'reboot', read_back: false }) {
    const { db, events } = this.#context;
    const provisionUuid = transaction(db, () => {
      const uuid = queueRun(this.#context, machineUuid, order);
      const run = findRun(db, uuid);
      if (run !== null) this.#keeper.noteStatus(uuid, run.state);
      this.#mark(machineUuid);
      return uuid;
    });
    events.publish({ type: 'provision', uuid: provisionUuid, machineUuid });
    events.publish({ type: 'machine', uuid: machineUuid });
    this.#prepare();
    return { provisionUuid, message: 'queued' };
  }

  cancel(machineUuid: string, provisionUuid: string): void {
    const { db } = this.#context;
    transaction(db, () => {
      findMachine(this.#context, machineUuid);
      const run = findRun(db, provisionUuid);
      if (run === null || run.machineUuid !== machineUuid) throw notFound('the run');
      if (isTerminal(run.state.status)) throw new ApiError(409, `the run has ended: ${run.state.status}`);
      const isRepeated = run.state.cancelRequestedAtMs !== null;
      const after = this.#keeper.apply(run.uuid, { type: 'cancel', reach: this.#reachOf(run) });
      if (after === null || isTerminal(after.status) || isRepeated) return;
      this.#commands.enqueue(machineUuid, 'CancelProvision', { provision_uuid: run.uuid });
    });
  }

  clear(machineUuid: string) {
    const { db, events } = this.#context;
    const provisionUuid = transaction(db, () => {
      findMachine(this.#context, machineUuid);
      const run = findActiveRun(db, machineUuid);
      if (run !== null) {
        if (run.state.status !== 'queued' || this.#keeper.wasSent(run)) {
          throw new ApiError(409, `the run ${run.uuid} is going on; cancel it instead`);
        }
        this.#keeper.apply(run.uuid, { type: 'cancel', reach: 'none' });
      }
      db.prepare('UPDATE machines SET needs_provisioning = 0, install_until = NULL WHERE uuid = ?').run(machineUuid);
      return run?.uuid ?? null;
    });
    events.publish({ type: 'machine', uuid: machineUuid });
    return {
      provisionUuid,
      message: provisionUuid === null ? 'nothing was queued' : 'the queued run was dropped',
    };
  }

  discover(machineUuid: string) {
    const { db, events } = this.#context;
    const message = transaction(db, () => {
      const machine = findMachine(this.#context, machineUuid);
      const run = findActiveRun(db, machineUuid);
      if (run !== null) throw new ApiError(409, `the machine has a run that has not ended: ${run.uuid}`);
      if (machine['mode'] === 'installer' && this.#dependencies.hub.isConnected(machineUuid)) {
        return 'the machine is in the installer already';
      }
      this.#mark(machineUuid);
      const kexec = boolean(machine, 'kexec_installer') ? 'auto' : 'never';
      this.#commands.enqueue(machineUuid, 'EnterInstaller', { kexec });
      return 'the machine is told to enter the installer; its next network boot gets it, too';
    });
    events.publish({ type: 'machine', uuid: machineUuid });
    return { provisionUuid: null, message };
  }

  onAdopted(machineUuid: string): void {
    const { db } = this.#context;
    transaction(db, () => {
      const run = findActiveRun(db, machineUuid);
      if (run === null || run.state.status !== 'in_progress') return;
      const old = run.state.commandUuid;
      const command = this.#commands.enqueue(machineUuid, 'ProvisionMachine', { provision_uuid: run.uuid });
      const message = 'the machine was adopted; the interrupted run starts again';
      this.#keeper.apply(run.uuid, { type: 'restart', commandUuid: command.uuid, message });
      if (old !== null) this.#commands.cancel(old, message);
    });
  }

  async tick(): Promise<void> {
    if (this.#observation.look()) limitDelays(this.#context);
    for (const run of activeRuns(this.#context.db)) this.#look(run);
    this.#prepare();
  }

  async settled(): Promise<void> {
    while (this.#preparations.size > 0) await Promise.all(this.#preparations.values());
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.settled();
  }

  get #commands(): CommandQueue {
    return this.#dependencies.commands;
  }

  #look(run: StoredRun): void {
    const { db, clock } = this.#context;
    const { hub } = this.#dependencies;
    const machine = db
      .prepare('SELECT mode, boot_timeout_seconds, install_until FROM machines WHERE uuid = ?')
      .get(run.machineUuid);
    if (machine === undefined) return;
    const isConnected = hub.isConnected(run.machineUuid);
    if (run.state.status === 'queued' && run.state.commandUuid !== null) {
      const message = waitingMessage(isConnected, this.#keeper.wasSent(run));
      this.#keeper.apply(run.uuid, { type: 'waiting', message });
    }
    const mode = machine['mode'];
    const heardAtMs = hub.lastSeenAt(run.machineUuid);
    const facts = {
      isConnected,
      // A time that is still to come is of another clock.
      heardAtMs: heardAtMs !== null && heardAtMs > clock.now() ? null : heardAtMs,
      mode: typeof mode === 'string' ? mode : null,
      bootTimeoutMs: number(machine, 'boot_timeout_seconds') * 1000,
      observedSinceMs: this.#observation.sinceMs,
    };
    const after = this.#keeper.apply(run.uuid, { type: 'time', facts });
    if (after === null || isTerminal(after.status) || after.bootingAtMs !== null) return;
    if ((timeOrNull(machine, 'install_until') ?? 0) < clock.now() + markMs) this.#mark(run.machineUuid);
  }

  /** Makes the machine's next network boot get the installer, for a while. */
  #mark(machineUuid: string): void {
    const { db, clock } = this.#context;
    const until = timeText(clock.now() + 2 * markMs);
    // An operator may have marked it for longer.
    db.prepare('UPDATE machines SET install_until = max(coalesce(install_until, ?1), ?1) WHERE uuid = ?2').run(
      until,
      machineUuid,
    );
  }

  #reachOf(run: StoredRun): CancelReach {
    if (!this.#keeper.wasSent(run)) return 'none';
    // The installed system is about to leave for the installer, which asks for its command anew and finds none.
    const isInstalled = findMachine(this.#context, run.machineUuid)['mode'] === 'installed';
    if (isInstalled && run.state.bootIds.length === 0) return 'none';
    return this.#dependencies.hub.isConnected(run.machineUuid) ? 'connected' : 'away';
  }

  /** Starts what is due, oldest first, and goes on when a place becomes free. */
  #prepare(): void {
    if (this.#closed.signal.aborted) return;
    const { db, clock } = this.#context;
    for (const run of activeRuns(db)) {
      if (this.#preparations.size >= mostPreparations) return;
      const isDue = run.resolveAfterMs === null || run.resolveAfterMs <= clock.now();
      if (run.state.status !== 'queued' || run.state.commandUuid !== null || !isDue) continue;
      if (this.#preparations.has(run.uuid)) continue;
      const { commands, renderMachine, registries, random } = this.#dependencies;
      const work = prepareRun(this.#context, run.uuid, {
        keeper: this.#keeper,
        commands,
        renderMachine,
        registries: registries ?? {},
        random: random ?? Math.random,
        signal: this.#closed.signal,
      });
      this.#preparations.set(run.uuid, this.#followUp(run.uuid, work));
    }
  }

  async #followUp(runUuid: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      // Only the database can fail here; the next tick tries again.
      this.#context.log.error({ provision_uuid: runUuid, error: describeError(error) }, 'a run could not be prepared');
      return;
    } finally {
      this.#preparations.delete(runUuid);
    }
    this.#prepare();
  }
}
