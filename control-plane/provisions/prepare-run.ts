import { describeError } from '../../core/base/describe-error.ts';
import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { ServerContext } from '../context.ts';
import { readImageUrl } from '../images/read-image-url.ts';
import { credentialOfImage } from '../images/registry-credentials/credential-of-image.ts';
import { type CommandQueue, RenderError, type RenderMachine } from '../services.ts';
import { transaction } from '../store/open-database.ts';
import { timeText } from '../store/row-values.ts';
import type { RegistryAccess } from './provision-service.ts';
import { findRun, type StoredRun, userDataPlace } from './provision-store.ts';
import { resolveDelayMs } from './resolve-delay.ts';
import { resolveDigest } from './resolve-digest.ts';
import type { RunKeeper } from './run-keeper.ts';

export interface PrepareOptions {
  readonly keeper: RunKeeper;
  readonly commands: CommandQueue;
  readonly renderMachine: RenderMachine;
  readonly registries: RegistryAccess;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/**
 * Makes a queued run ready: the tag's digest, the rendered user data, the command for the machine. Each part is kept
 * as soon as it is there. A registry that does not answer leaves the run queued with the reason and a time to ask again.
 * @throws the database's own errors only.
 */
export async function prepareRun(context: ServerContext, runUuid: string, options: PrepareOptions): Promise<void> {
  const { keeper, signal } = options;
  try {
    const run = pending(context, runUuid);
    if (run === null) return;
    if (run.imageDigest === null && !(await findDigest(context, run, options))) return;
    if (pending(context, runUuid) === null) return;
    const { userData } = await options.renderMachine(run.machineUuid);
    if (!signal.aborted) giveCommand(context, runUuid, userData, options);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof RenderError) {
      keeper.apply(runUuid, { type: 'render_failed', message: error.message });
      return;
    }
    const { code, kind } = asProvisionError(error);
    if (kind === 'bug') context.log.error({ provision_uuid: runUuid, error: describeError(error) }, 'a run failed');
    keeper.apply(runUuid, { type: 'prepare_failed', code, message: describeError(error) });
  }
}

/** False when it is not known yet. @throws ProvisionError when asking again cannot help. */
async function findDigest(context: ServerContext, run: StoredRun, options: PrepareOptions): Promise<boolean> {
  const { db, clock, log } = context;
  const image = readImageUrl(run.imageUrl);
  try {
    const digest = await resolveDigest({
      image,
      credentials: credentialOfImage(context, run.registryCredentialUuid, image.reference),
      registries: options.registries,
      log,
      signal: options.signal,
    });
    db.prepare(`UPDATE provisions SET image_digest = ? WHERE uuid = ?`).run(digest, run.uuid);
    return true;
  } catch (error) {
    if (!(error instanceof ProvisionError) || !error.retryable || options.signal.aborted) throw error;
    const attempts = run.resolveAttempts + 1;
    const delayMs = resolveDelayMs(error, attempts, options.random);
    const message = `${describeError(error)}; asking again in ${Math.ceil(delayMs / 1000)} s`;
    log.warn(
      { provision_uuid: run.uuid, delay_ms: delayMs, reason: describeError(error) },
      'a run waits for its registry',
    );
    transaction(db, () => {
      db.prepare('UPDATE provisions SET resolve_attempts = ?, resolve_after = ? WHERE uuid = ?').run(
        attempts,
        timeText(clock.now() + delayMs),
        run.uuid,
      );
      options.keeper.apply(run.uuid, { type: 'waiting', message });
    });
    return false;
  }
}

function giveCommand(context: ServerContext, runUuid: string, userData: string | null, options: PrepareOptions): void {
  const { db, sealer } = context;
  transaction(db, () => {
    const run = pending(context, runUuid);
    if (run === null) return;
    const sealed = userData === null ? null : sealer.seal(userData, userDataPlace(runUuid));
    db.prepare('UPDATE provisions SET user_data_sealed = ? WHERE uuid = ?').run(sealed, runUuid);
    const command = options.commands.enqueue(run.machineUuid, 'ProvisionMachine', { provision_uuid: runUuid });
    options.keeper.apply(runUuid, {
      type: 'prepared',
      commandUuid: command.uuid,
      message: waitingMessage(false, false),
    });
  });
}

/** What a run that is ready says while the machine has not taken it. */
export function waitingMessage(isConnected: boolean, wasSent: boolean): string {
  if (!isConnected) return 'waiting for the machine';
  return wasSent ? 'the machine has been told' : 'waiting until the machine has stopped the run before';
}

function pending(context: ServerContext, runUuid: string): StoredRun | null {
  const run = findRun(context.db, runUuid);
  return run !== null && run.state.status === 'queued' && run.state.commandUuid === null ? run : null;
}
