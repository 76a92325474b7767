import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { abortError, sleep } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { LeaveBy } from '../boot/reboot.ts';
import type { CommandContext, CommandResult } from '../commands/command-table.ts';
import { type EndpointConfig, ServerEndpoint } from '../link/server-endpoint.ts';
import { carriedArchive, readCarriedState } from './carried-state.ts';
import { chooseWay, type PreparedWay, type Ways } from './choose-way.ts';
import { fetchInstaller } from './fetch-installer.ts';
import { installerCommandLine } from './installer-command-line.ts';
import type { Connection } from './ip-facts.ts';
import type { OneShotFiles, Placed } from './one-shot.ts';
import { writeReentryRecord } from './reentry-record.ts';
import { type CarriedNetwork, readServerLink } from './server-link.ts';
import { takeBackReentry } from './take-back.ts';

export interface EnterInstallerOptions {
  /** `/var/lib/durantic` */
  readonly stateDir: string;
  /** `/run/durantic` */
  readonly runDir: string;
  readonly config: EndpointConfig;
  readonly log: Logger;
  readonly leave: (how: LeaveBy, signal: AbortSignal) => Promise<void>;
  /** How long a machine may take to go down after it was told to. */
  readonly goingDownMs: number;
  /** How long the server may take to acknowledge everything before the machine leaves; default 5 minutes. */
  readonly farewellMs?: number;
  /** Injectable for tests. */
  readonly ways?: Ways;
  readonly readLink?: (connection: Connection, signal: AbortSignal) => Promise<CarriedNetwork>;
  readonly commandLineFile?: string;
}

export interface EnterInstallerRequest {
  readonly useKexec: boolean;
  /** Called when nothing can be taken back any more. */
  readonly onLeaving: () => void;
}

const farewellMs = 5 * 60_000;
const lastWordMs = 10_000;

/**
 * From the running installed system into the installer: fetches it, prepares the best way, hands everything to the
 * server that it has not acknowledged, and leaves. What was prepared is taken back when any of it fails. The outcome is
 * the installer's to tell, or the old system's when that comes back.
 * @throws ProvisionError `installer_unreachable`, `space_insufficient`, what fetching throws, `server_unreachable` when
 * the server does not acknowledge, `tool_failed` when the machine does not go down, `aborted`.
 */
export async function enterInstaller(
  request: EnterInstallerRequest,
  options: EnterInstallerOptions,
  context: CommandContext,
): Promise<CommandResult> {
  let hasLeft = false;
  try {
    const files = await prepareFiles(options, context);
    const record = (way: PreparedWay['way'], placed: Placed, said: string): void =>
      writeReentryRecord(options.stateDir, {
        command_uuid: context.commandUuid,
        ...{ way, said, placed, has_left: hasLeft },
      });
    let lastPlaced: Placed = { grubDir: null, espPartUuid: null };
    const note = (way: PreparedWay['way'], placed: Placed): void => {
      // Of a way that failed, something may be left.
      const { grubDir, espPartUuid } = placed;
      lastPlaced = { grubDir: grubDir ?? lastPlaced.grubDir, espPartUuid: espPartUuid ?? lastPlaced.espPartUuid };
      record(way, lastPlaced, 'it was being prepared');
    };
    const { runDir, log, ways } = options;
    const prepared = await chooseWay(
      { useKexec: request.useKexec, files: files.oneShot },
      { runDir, log, note, mac: files.mac, signal: context.signal },
      ways,
    );
    await sayFarewell(prepared, options, context);
    hasLeft = true;
    record(prepared.way, lastPlaced, prepared.said);
    request.onLeaving();
    await options.leave(prepared.how, context.signal);
    await sleep(options.goingDownMs, context.signal);
    const minutes = Math.round(options.goingDownMs / 60_000);
    throw new ProvisionError('tool_failed', `the machine still runs ${minutes} minutes after it was told to go down`);
  } catch (error) {
    // The agent is stopped because the machine goes down.
    if (hasLeft && context.signal.aborted) throw error;
    const { stateDir, runDir, log, ways } = options;
    const unload = ways === undefined ? {} : { unload: async () => await ways.unload() };
    await takeBackReentry({ stateDir, runDir, log, ...unload });
    throw error;
  }
}

interface PreparedFiles {
  readonly oneShot: OneShotFiles;
  readonly mac: string | null;
}

async function prepareFiles(options: EnterInstallerOptions, context: CommandContext): Promise<PreparedFiles> {
  const { config, stateDir } = options;
  const { signal, progress } = context;
  await using endpoint = new ServerEndpoint({ config, setClock: null });
  progress('looking how this system reaches the server');
  const network = await (options.readLink ?? readServerLink)(await connectionEnds(endpoint, signal), signal);
  const running = readFileSync(options.commandLineFile ?? '/proc/cmdline', 'latin1');
  const commandLine = installerCommandLine({ config, proxy: endpoint.proxy, network, running });
  progress('asking the server for its installer');
  const cacheDir = join(stateDir, 'installer');
  const installer = await fetchInstaller({ endpoint, cacheDir, onProgress: progress, signal });
  const initrd = carriedArchive(readCarriedState(stateDir, context.commandUuid));
  progress('preparing the way into the installer');
  return { oneShot: { installer, initrd, commandLine }, mac: network.interface };
}

async function connectionEnds(endpoint: ServerEndpoint, signal: AbortSignal): Promise<Connection> {
  const socket = await endpoint.dial(signal);
  try {
    const { localAddress: local, remoteAddress: remote } = socket;
    if (local !== undefined && remote !== undefined) return { local, remote };
    throw new ProvisionError('link_lost', 'the connection to the server ended at once');
  } finally {
    socket.destroy();
  }
}

/** What the server lacks would be lost with the disk, and an installer whose server is away could do nothing. */
async function sayFarewell(
  { how, said }: PreparedWay,
  options: EnterInstallerOptions,
  { flush, progress, signal }: CommandContext,
): Promise<void> {
  const waitMs = options.farewellMs ?? farewellMs;
  if (!(await flush(waitMs))) {
    if (signal.aborted) throw abortError(signal);
    const seconds = Math.round(waitMs / 1000);
    const message = `the server has not acknowledged everything within ${seconds} s, so the machine stays where it is`;
    throw new ProvisionError('server_unreachable', message);
  }
  progress(`${how === 'kexec' ? 'starting the installer' : 'restarting into the installer'}: ${said}`);
  // This one is no loss: it stays in the outbox of the old system.
  await flush(Math.min(lastWordMs, waitMs));
  if (signal.aborted) throw abortError(signal);
  options.log.info({ said }, 'leaving for the installer');
}
