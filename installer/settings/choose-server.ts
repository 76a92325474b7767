import type { DiskFacts } from '../../agent/disk/types.ts';
import type { KernelParameters } from '../../protocol/kernel-parameters.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import { type FindMediumOptions, findMediumSettings, type MediumSettings } from './find-medium-settings.ts';
import type { ServerChoice } from './server-choice.ts';

export interface ChooseServerOptions {
  readonly choice: ServerChoice;
  readonly given: Pick<KernelParameters, 'server' | 'pin' | 'token'>;
  readonly listDisks: () => Promise<readonly DiskFacts[]>;
  readonly emit: (event: InstallerEvent) => void;
  /** How long the medium is waited for where nothing else names a server, milliseconds. */
  readonly mediumWaitMs: number;
  readonly signal: AbortSignal;
  /** Injectable for tests. */
  readonly read?: FindMediumOptions['read'];
}

/**
 * Finds out which server the machine belongs to: the kernel command line, then the settings on the installation medium,
 * each value of the former overriding that of the latter, then whoever sits at a console. A medium of another server than
 * the command line names gives nothing: its pin would refuse that server, and its token is a secret of the other one.
 * Returns when it is known; a medium that comes while somebody is asked answers the question.
 * @throws ProvisionError `aborted`.
 */
export async function chooseServer(options: ChooseServerOptions): Promise<void> {
  const { choice, given, emit, signal } = options;
  // Nothing on a medium could add to these: the pin is the choice of whoever wrote them.
  if (given.server !== null && given.token !== null) {
    choice.set({ ...given, server: given.server }, 'settings');
    return;
  }
  const onProblem = (text: string): void => emit({ kind: 'notice', text });
  const find = async (waitMs: number, until: AbortSignal): Promise<MediumSettings | null> =>
    await findMediumSettings({ ...options, server: given.server, waitMs, onProblem, signal: until });
  // A medium that adds a token only is there at once, if at all: it is what the machine was started from.
  const medium = await find(given.server === null ? options.mediumWaitMs : options.mediumWaitMs / 4, signal);
  if (take(options, medium)) return;
  emit({ kind: 'server', server: null, pin: given.pin });
  choice.ask(null);
  const late = AbortSignal.any([signal, choice.changed]);
  try {
    take(options, await find(Number.POSITIVE_INFINITY, late));
  } catch (error) {
    // Somebody has answered meanwhile.
    if (!late.aborted || signal.aborted) throw error;
  }
  await choice.known(signal);
}

/** True when both together name a server. */
function take({ choice, given, emit }: ChooseServerOptions, medium: MediumSettings | null): boolean {
  const server = given.server ?? medium?.settings.server ?? null;
  if (server === null || choice.current !== null) return choice.current !== null;
  const { pin, token } = medium?.settings ?? {};
  if (medium !== null) emit({ kind: 'notice', text: `Settings of the installation medium ${medium.device} are used.` });
  choice.set({ server, pin: given.pin ?? pin ?? null, token: given.token ?? token ?? null }, 'settings');
  return true;
}
