import { markInstallerMedia } from '../agent/hardware/installer-media.ts';
import type { Logger } from '../core/base/logger.ts';
import type { KernelParameters } from '../protocol/kernel-parameters.ts';
import { installerHandlers } from './commands/installer-handlers.ts';
import { type BelongOptions, belongToServer } from './enrolment/belong-to-server.ts';
import { TroubleBoard } from './enrolment/trouble-board.ts';
import { MachineKey } from './identity/machine-key.ts';
import { eachDiskSearch, searchLocalDisks } from './identity/search-local-disks.ts';
import type { InstallerParts, InstallerPlaces, RunInstallerOptions } from './installer-parts.ts';
import type { Network } from './network/network.ts';
import { openReports } from './open-reports.ts';
import { runTogether } from './run-together.ts';
import { chooseServer } from './settings/choose-server.ts';
import type { ServerChoice } from './settings/server-choice.ts';
import { takeCarriedState } from './settings/take-carried-state.ts';
import type { InstallerEvent } from './state/installer-events.ts';
import { watchDisks } from './watch-disks.ts';
import type { WorkingLinks } from './working-links.ts';

export interface LiveOptions {
  readonly options: RunInstallerOptions;
  readonly parts: InstallerParts;
  readonly places: InstallerPlaces;
  readonly parameters: KernelParameters;
  readonly choice: ServerChoice;
  readonly network: Network;
  readonly links: WorkingLinks;
  readonly emit: (event: InstallerEvent) => void;
  readonly log: Logger;
}

/**
 * What goes on in the installer, beside each other, once consoles and network are there: supervision, disks, the choice of
 * the server and the machine's life at it. Returns when the signal is aborted.
 */
export async function liveInInstaller(live: LiveOptions): Promise<void> {
  const { options, parts, places, parameters, choice, emit } = live;
  const { signal, timings = {} } = options;
  // Waited for before any disk is searched or written; a disk that hangs keeps neither watchdog nor remote shell waiting.
  const cleared = parts.removeLeftovers((text) => emit({ kind: 'notice', text }), signal);
  cleared.catch(() => undefined);
  const carried = takeCarriedState(places.carriedDir);
  for (const text of carried.problems) emit({ kind: 'notice', text });
  const reports = await openReports({ runDir: places.runDir, emit, carried: carried.commands });
  const { proxy } = parameters;
  const common = { ...options, ...parts, ...places, ...reports, ...live, proxy };
  const { listDisks } = parts;
  const mediumWaitMs = timings.mediumWaitMs ?? 10_000;

  await runTogether(signal, [
    async (until) => await parts.supervise({ parameters, emit, signal: until }),
    async (until) => await watchDisks({ listDisks, emit, signal: until }),
    async (until) => await chooseServer({ choice, listDisks, emit, mediumWaitMs, given: parameters, signal: until }),
    async (until) => {
      await cleared;
      const search = eachDiskSearch({ listDisks, signal: until, ...settling(options) });
      const key = MachineKey.open({ stateDir: places.stateDir, emit, search, carried: carried.identity });
      // Waited for when the server is known; until then a failure must not end the process.
      key.catch(() => undefined);
      await belongToServer(membership({ ...common, key, signal: until }));
    },
  ]);
}

type MembershipParts = Omit<BelongOptions, 'board' | 'hardware' | 'handlersFor'> &
  Pick<RunInstallerOptions, 'hardware' | 'agentBundle' | 'timings'> &
  Pick<InstallerParts, 'leave' | 'listDisks'> & {
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
        findSystems: async (signal) => await searchLocalDisks({ listDisks, signal, ...settling(parts) }),
        agentBundle: parts.agentBundle ?? null,
      }),
  };
}

function settling({ timings = {} }: Pick<RunInstallerOptions, 'timings'>): {
  readonly quietMs?: number;
  readonly longestMs?: number;
} {
  const { diskQuietMs, diskLongestMs } = timings;
  return {
    ...(diskQuietMs === undefined ? {} : { quietMs: diskQuietMs }),
    ...(diskLongestMs === undefined ? {} : { longestMs: diskLongestMs }),
  };
}
