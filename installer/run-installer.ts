import { join } from 'node:path';
import { takeAgentLock } from '../agent/config/agent-lock.ts';
import { markInstallerMedia } from '../agent/hardware/installer-media.ts';
import { installerHandlers } from './commands/installer-handlers.ts';
import { describeStart } from './describe-machine.ts';
import { type BelongOptions, belongToServer } from './enrolment/belong-to-server.ts';
import { TroubleBoard } from './enrolment/trouble-board.ts';
import { MachineKey } from './identity/machine-key.ts';
import { searchLocalDisks } from './identity/search-local-disks.ts';
import { installerPlaces, type RunInstallerOptions } from './installer-parts.ts';
import { logInstallerEvent } from './log/log-installer-event.ts';
import { openInstallerLog } from './log/open-installer-log.ts';
import { openReports } from './open-reports.ts';
import { productionParts } from './production-parts.ts';
import { runTogether } from './run-together.ts';
import { chooseServer } from './settings/choose-server.ts';
import { readKernelSettings } from './settings/read-settings.ts';
import { ServerChoice } from './settings/server-choice.ts';
import { takeCarriedState } from './settings/take-carried-state.ts';
import type { InstallerEvent } from './state/installer-events.ts';
import { watchDisks } from './watch-disks.ts';
import { WorkingLinks } from './working-links.ts';

/**
 * `durantic installer`: settings, consoles, network, then beside each other supervision, disks, the choice of the server
 * and the machine's life at it, for ever. Everything that happens is an `InstallerEvent`, shown on the consoles and
 * logged. Returns when the signal is aborted.
 * @throws ProvisionError `already_running`, `permission`, and defects: whoever started it starts it again and shows why.
 */
export async function runInstaller(options: RunInstallerOptions): Promise<void> {
  const { signal, timings = {} } = options;
  const places = { ...installerPlaces, ...options.places };
  const parts = { ...productionParts(), ...options.parts };
  using _lock = takeAgentLock(places.runDir);
  const carried = takeCarriedState(places.carriedDir);
  const { parameters, problems } = readKernelSettings(places.commandLineFile);
  const level = parameters.debug ? 'debug' : 'info';
  const log = openInstallerLog({ path: join(places.runDir, 'installer.log'), level });

  const shows = [(event: InstallerEvent): void => logInstallerEvent(log, event)];
  const emit = (event: InstallerEvent): void => {
    for (const show of shows) show(event);
  };
  const choice = new ServerChoice(emit);
  const onAnswer = (text: string): void => choice.answer(text);
  await using display = await parts.openDisplay({ choice: parameters.console, onAnswer, signal });
  shows.push((event) => display.show(event));
  emit(await describeStart(places.runDir, [...problems, ...carried.problems], options.hardware));

  const links = new WorkingLinks(emit);
  await using network = await parts.startNetwork({ parameters, signal, ...links.listeners });
  const reports = await openReports({ runDir: places.runDir, emit, carried: carried.commands });
  const { proxy } = parameters;
  const common = { ...options, ...parts, ...places, ...reports, choice, network, links, emit, log, proxy };
  const { listDisks } = parts;
  const mediumWaitMs = timings.mediumWaitMs ?? 10_000;

  await runTogether(signal, [
    async (until) => await parts.supervise({ parameters, emit, signal: until }),
    async (until) => await watchDisks({ listDisks, emit, signal: until }),
    async (until) => await chooseServer({ choice, listDisks, emit, mediumWaitMs, given: parameters, signal: until }),
    async (until) => {
      const search = async () => await searchLocalDisks({ listDisks, signal: until, ...quiet(options) });
      const key = MachineKey.open({ stateDir: places.stateDir, emit, search, carried: carried.identity });
      // Waited for when the server is known; until then a failure must not end the process.
      key.catch(() => undefined);
      await belongToServer(membership({ ...common, key, signal: until }));
    },
  ]);
}

type MembershipParts = Omit<BelongOptions, 'board' | 'hardware' | 'handlersFor'> &
  Pick<RunInstallerOptions, 'hardware' | 'agentBundle' | 'timings'> &
  Pick<ReturnType<typeof productionParts>, 'leave' | 'listDisks'> & {
    readonly runDir: string;
    readonly links: WorkingLinks;
  };

function membership(parts: MembershipParts): BelongOptions {
  const { emit, log, outbox, proxy, runDir, leave, listDisks, links, timings = {} } = parts;
  return {
    ...parts,
    timings,
    board: new TroubleBoard(emit),
    hardware: {
      ...parts.hardware,
      markMedia: async (disks) => await markInstallerMedia(disks, { signal: parts.signal }),
    },
    handlersFor: (identity) =>
      installerHandlers({
        ...{ identity, emit, log, outbox, proxy, runDir, leave, timings: timings.command ?? {} },
        workingLink: () => links.current,
        findSystems: async (signal) => await searchLocalDisks({ listDisks, signal, ...quiet(parts) }),
        agentBundle: parts.agentBundle ?? null,
      }),
  };
}

function quiet({ timings }: Pick<RunInstallerOptions, 'timings'>): { readonly quietMs?: number } {
  return timings?.diskQuietMs === undefined ? {} : { quietMs: timings.diskQuietMs };
}
