import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { chooseHostname } from '../../control-plane/enrolment/choose-hostname.ts';
import { describeError } from '../../core/base/describe-error.ts';
import { Resources } from '../../test/resources.ts';
import { installerAsset } from '../../test/vm/installer-assets.ts';
import { type MediumParts, prepareMedium } from '../../test/vm/installer-media.ts';
import { startVm } from '../../test/vm/qemu.ts';
import { qemuArguments, type VmOptions, vmFiles } from '../../test/vm/qemu-arguments.ts';
import { distDir, repoDir } from '../build/paths.ts';
import { followConsole } from '../demonstration/follow-console.ts';
import { emulatedMachine } from './emulated-machine.ts';
import { type EmulationFlags, readEmulationFlags, usage } from './emulation-flags.ts';
import { findLayouts } from './emulation-registry.ts';
import { type EmulationServer, openServer, plannedServer } from './emulation-server.ts';
import { type EmulationState, openDisks, openState } from './emulation-state.ts';
import { hasSystem } from './has-system.ts';
import { nextSteps } from './next-steps.ts';
import { shellCommand } from './shell-word.ts';
import { writeIso } from './write-iso.ts';

const print = (line = ''): void => console.log(line);
const stop = new AbortController();

async function makeMedium(
  flags: EmulationFlags,
  server: EmulationServer | null,
  options: { readonly dir: string; readonly token: string | null },
): Promise<MediumParts | null> {
  if (flags.media === 'disk') return null;
  const { dir, token } = options;
  return await prepareMedium(flags.media, {
    ...{ dir, token, server, overlay: undefined },
    append: flags.append,
    iso: async () => {
      const file = join(dir, 'installer.iso');
      if (flags.isDryRun) return file;
      const known = server === null ? {} : { server: server.url, ...(server.pin === null ? {} : { pin: server.pin }) };
      await writeIso(installerAsset('installer.iso'), file, { ...known, ...(token === null ? {} : { token }) });
      return file;
    },
    expect: async () => undefined,
  });
}

/** What a server of our own calls the machine until somebody renames it; null for other servers and without cards. */
function machineName({ identity }: EmulationState, { server, nics }: EmulationFlags): string | null {
  const macs = identity.macs.slice(0, nics.length).sort();
  return server.kind !== 'start' || macs.length === 0
    ? null
    : chooseHostname({ hostname: null, macs, machineUuid: identity.smbiosUuid });
}

/** Runs a guest until it ends or this program is told to; gives QEMU's reason. */
async function runGuest(options: VmOptions, flags: EmulationFlags): Promise<unknown> {
  await using resources = new Resources();
  const vm = await startVm(resources, options);
  const isFollowed = flags.view === 'serial' && options.isConsoleOnStdio !== true;
  const stopFollowing = isFollowed
    ? followConsole(vm.files.consoleLog, (text) => process.stdout.write(text))
    : () => undefined;
  while (!vm.hasEnded && !stop.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 200));
  stopFollowing();
  return stop.signal.aborted ? 'stopped' : vm.endReason;
}

async function runQemu(flags: EmulationFlags, resources: Resources): Promise<void> {
  const dir = flags.stateDir ?? join(repoDir, '.run-qemu');
  const state = await openState(dir, flags);
  const isTerminal = process.stdin.isTTY === true;
  const server = flags.isDryRun
    ? plannedServer(flags.server, state)
    : await openServer(resources, flags.server, { dir, state, images: findLayouts(flags.images) });
  const token = flags.way === 'token' && server !== null ? await server.makeToken() : null;
  const disks = openDisks(dir, flags.disks);
  const guestDir = join(dir, 'guest');
  mkdirSync(guestDir, { recursive: true });
  const medium = await makeMedium(flags, server, { dir, token });
  const guest = emulatedMachine({ flags, state, dir: guestDir, disks, medium, isTerminal });
  const files = vmFiles(guestDir);
  if (flags.isDryRun) return print(shellCommand('qemu-system-x86_64', qemuArguments(guest, files, 'NONCE')));
  const here = (file: string): string => relative(process.cwd(), file);
  const binary = here(join(distDir, 'durantic'));
  const machine = machineName(state, flags);
  const situation = { flags, server, machine, binary, consoleLog: here(files.consoleLog), isTerminal };
  for (const line of nextSteps(situation)) print(line);
  let reason = await runGuest(guest, flags);
  const [disk] = disks;
  while (reason === 'guest-reset') {
    const isInstalled = disk !== undefined && hasSystem(disk);
    print(
      `\nThe machine reboots ${isInstalled ? 'from its own disk' : `from ${flags.media} again: its disk is empty`}.\n`,
    );
    const next = isInstalled
      ? emulatedMachine({ flags, state, dir: guestDir, disks, medium: null, isTerminal })
      : guest;
    reason = await runGuest(next, flags);
  }
  print(`\nThe machine has ended (${String(reason ?? 'QEMU failed')}).`);
}

const resources = new Resources();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
try {
  const flags = readEmulationFlags(process.argv.slice(2));
  if (flags === null) print(usage);
  else await runQemu(flags, resources);
} catch (error) {
  console.error(`run-qemu: ${describeError(error)}`);
  process.exitCode = 1;
} finally {
  await resources[Symbol.asyncDispose]();
}
