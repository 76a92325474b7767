import { join } from 'node:path';
import { takeAgentLock } from '../agent/config/agent-lock.ts';
import { markInstallerMedia } from '../agent/hardware/installer-media.ts';
import { installerHandlers } from './commands/installer-handlers.ts';
import { describeStart } from './describe-machine.ts';
import { belongToServer } from './enrolment/belong-to-server.ts';
import { TroubleBoard } from './enrolment/trouble-board.ts';
import { MachineKey } from './identity/machine-key.ts';
import { searchLocalDisks } from './identity/search-local-disks.ts';
import { installerPlaces, type RunInstallerOptions } from './installer-parts.ts';
import { logInstallerEvent } from './log/log-installer-event.ts';
import { openInstallerLog } from './log/open-installer-log.ts';
import type { WorkingLink } from './network/network.ts';
import { openReports } from './open-reports.ts';
import { productionParts } from './production-parts.ts';
import { runTogether } from './run-together.ts';
import { chooseServer } from './settings/choose-server.ts';
import { readKernelSettings } from './settings/read-settings.ts';
import { ServerChoice } from './settings/server-choice.ts';
import { takeCarriedState } from './settings/take-carried-state.ts';
import type { InstallerEvent } from './state/installer-events.ts';
import { watchDisks } from './watch-disks.ts';

/**
 * `durantic installer`: settings, consoles, network, server, identity, enrolment, then the agent in installer mode, for
 * ever. Everything that happens is an `InstallerEvent`, shown on the consoles and logged. Returns when the signal is
 * aborted.
 * @throws ProvisionError `already_running`, `permission`, and defects: whoever started it starts it again and shows why.
 */
export async function runInstaller(options: RunInstallerOptions): Promise<void> {
  const { signal, timings = {}, hardware = {} } = options;
  const { commandLineFile, carriedDir, stateDir, runDir } = { ...installerPlaces, ...options.places };
  const parts = { ...productionParts(), ...options.parts };
  const { listDisks, setClock, leave, probeOf } = parts;
  using _lock = takeAgentLock(runDir);
  const carried = takeCarriedState(carriedDir);
  const { parameters, problems } = readKernelSettings(commandLineFile);
  const { proxy } = parameters;
  const log = openInstallerLog({ path: join(runDir, 'installer.log'), level: parameters.debug ? 'debug' : 'info' });

  const shows = [(event: InstallerEvent): void => logInstallerEvent(log, event)];
  const emit = (event: InstallerEvent): void => {
    for (const show of shows) show(event);
  };
  const choice = new ServerChoice(emit);
  const onAnswer = (text: string): void => choice.answer(text);
  await using display = await parts.openDisplay({ choice: parameters.console, onAnswer, signal });
  shows.push((event) => display.show(event));
  emit(await describeStart(runDir, [...problems, ...carried.problems], hardware));

  let link: WorkingLink | null = null;
  await using network = await parts.startNetwork({
    ...{ parameters, signal },
    onLink: (report) => emit({ kind: 'link', link: report }),
    onLinkGone: (name) => emit({ kind: 'link_gone', name }),
    onWorkingLink: (working) => {
      link = working;
      emit({ kind: 'working_link', name: working?.report.name ?? null });
    },
  });
  const reports = await openReports({ runDir, emit, carried: carried.commands });
  const common = { ...reports, emit, log, proxy };

  await runTogether(signal, [
    async (until) => await parts.supervise({ parameters, emit, signal: until }),
    async (until) => await watchDisks({ listDisks, emit, signal: until }),
    async (until) => {
      const mediumWaitMs = timings.mediumWaitMs ?? 10_000;
      await chooseServer({ choice, listDisks, emit, mediumWaitMs, given: parameters, signal: until });
    },
    async (until) => {
      const search = async () => await searchLocalDisks({ listDisks, signal: until, ...quiet(timings.diskQuietMs) });
      const key = await MachineKey.open({ stateDir, emit, search, carried: carried.identity });
      await belongToServer({
        ...{ ...common, choice, key, network, probeOf, setClock, timings, signal: until },
        board: new TroubleBoard(emit),
        hardware: { ...hardware, markMedia: async (disks) => await markInstallerMedia(disks, { signal: until }) },
        handlersFor: (identity) =>
          installerHandlers({
            ...{ ...common, identity, runDir, leave, timings: timings.command ?? {} },
            workingLink: () => link,
            findSystems: async (within) =>
              await searchLocalDisks({ listDisks, signal: within, ...quiet(timings.diskQuietMs) }),
            agentBundle: options.agentBundle ?? null,
          }),
      });
    },
  ]);
}

function quiet(quietMs: number | undefined): { readonly quietMs?: number } {
  return quietMs === undefined ? {} : { quietMs };
}
