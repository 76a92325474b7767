import { join } from 'node:path';
import { takeAgentLock } from '../agent/config/agent-lock.ts';
import { describeStart } from './describe-machine.ts';
import { installerPlaces, type RunInstallerOptions } from './installer-parts.ts';
import { logInstallerEvent } from './log/log-installer-event.ts';
import { openInstallerLog } from './log/open-installer-log.ts';
import { productionParts } from './production-parts.ts';
import { readKernelSettings } from './settings/read-settings.ts';
import { ServerChoice } from './settings/server-choice.ts';
import type { InstallerEvent } from './state/installer-events.ts';
import { WorkingLinks } from './working-links.ts';

/**
 * `durantic installer`: settings, consoles, network, then the machine's life (`liveInInstaller`). Everything that happens
 * is an `InstallerEvent`, shown on the consoles and logged. In this order, and with no more of the program loaded than
 * each needs: the screen is there first, and the links come up while the rest is loaded. Returns when the signal is aborted.
 * @throws ProvisionError `already_running`, `permission`, and defects: whoever started it starts it again and shows why.
 */
export async function runInstaller(options: RunInstallerOptions): Promise<void> {
  const { signal } = options;
  const places = { ...installerPlaces, ...options.places };
  const parts = { ...productionParts(), ...options.parts };
  using _lock = takeAgentLock(places.runDir);
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
  emit(await describeStart(places.runDir, problems, options.hardware));

  const links = new WorkingLinks(emit);
  await using network = await parts.startNetwork({ parameters, signal, ...links.listeners });
  const { liveInInstaller } = await import('./live-in-installer.ts');
  await liveInInstaller({ options, parts, places, parameters, choice, network, links, emit, log });
}
