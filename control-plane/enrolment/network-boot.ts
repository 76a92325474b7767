import { randomBytes } from 'node:crypto';
import type { ServerContext } from '../context.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, type Row, text, timeOrNull, timeText } from '../store/row-values.ts';
import { sealToken } from './bootstrap-token.ts';
import type { Enrolment } from './enrolment.ts';

export interface BootToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

export type NetworkBoot =
  /** Nobody has the machine marked, or nobody knows it. */
  | { readonly kind: 'local' }
  /** Token null: the installer finds the machine's key on its disk, or shows a code. */
  | { readonly kind: 'installer'; readonly machineUuid: string; readonly token: BootToken | null }
  /** The address has asked about too many machines that are not marked. */
  | { readonly kind: 'limited'; readonly waitSeconds: number };

export const bootTokenLifetimeMs = 15 * 60 * 1000;
/** A token younger than this is given again as it is: whoever asks over and over causes no writes. */
const renewAfterMs = 60 * 1000;

/**
 * What a machine boots that shows these MAC addresses: the first that only one marked machine has decides. A MAC is
 * printed on a label and easily guessed, so wrong ones are counted, and a single-use token goes only where the
 * record may get another key (claim-machine.ts looks again).
 * @param macs As `parseMacAddress` gives them.
 * @param address Who asks.
 */
export async function decideNetworkBoot(
  enrolment: Enrolment,
  macs: Iterable<string>,
  address: string,
): Promise<NetworkBoot> {
  for (const mac of macs) {
    // Before it is looked up: of an address that has used up its guesses not even the right one is taken.
    const waitSeconds = enrolment.admitMac(address);
    if (waitSeconds > 0) return { kind: 'limited', waitSeconds };
    const machine = findMarked(enrolment.context, mac);
    if (machine !== null) return await bootInstaller(enrolment.context, machine);
    enrolment.noteUnmarkedMac(address);
  }
  return { kind: 'local' };
}

/**
 * An operator's own mark: with it a machine's record may get another key, whatever the machine is. A run's mark is none:
 * it lasts as long as the run.
 * @param row `operator_mark_until` of the machine.
 */
export function isMarkedByOperator(row: Row, atMs: number): boolean {
  return (timeOrNull(row, 'operator_mark_until') ?? 0) > atMs;
}

function findMarked({ db, clock, accountUuid }: ServerContext, mac: string): Row | null {
  const marked = db
    .prepare(
      `SELECT machines.uuid, was_installed, operator_mark_until
       FROM machine_macs JOIN machines ON machines.uuid = machine_macs.machine_uuid
       WHERE mac = ? AND install_until > ? AND account_uuid = ? LIMIT 2`,
    )
    .all(mac, timeText(clock.now()), accountUuid);
  return marked.length === 1 ? (marked[0] ?? null) : null;
}

async function bootInstaller(context: ServerContext, machine: Row): Promise<NetworkBoot> {
  const machineUuid = text(machine, 'uuid');
  // The key of an installed machine is on its disk.
  const hasToken = !boolean(machine, 'was_installed') || isMarkedByOperator(machine, context.clock.now());
  const token = hasToken ? await issueBootToken(context, machineUuid) : null;
  return { kind: 'installer', machineUuid, token };
}

/**
 * A machine has one unused token at a time, however often its script is fetched: all that were given since the last use
 * are the same one, so one use spends them all.
 */
async function issueBootToken(context: ServerContext, machineUuid: string): Promise<BootToken> {
  const { jti, expiresAtMs } = reserveBootToken(context, machineUuid);
  const { token } = await sealToken(context, {
    accountUuid: context.accountUuid,
    name: 'network boot',
    expiresAtMs,
    machine: { uuid: machineUuid, jti },
  });
  return { token, expiresAtMs };
}

function reserveBootToken({ db, clock }: ServerContext, machineUuid: string): { jti: string; expiresAtMs: number } {
  const nowMs = clock.now();
  const row = db
    .prepare('SELECT jti, expires_at FROM boot_tokens WHERE machine_uuid = ? AND used_at IS NULL')
    .get(machineUuid);
  const currentMs = row === undefined ? 0 : Date.parse(text(row, 'expires_at'));
  const latestMs = nowMs + bootTokenLifetimeMs;
  if (row !== undefined && currentMs <= latestMs && currentMs > latestMs - renewAfterMs) {
    return { jti: text(row, 'jti'), expiresAtMs: currentMs };
  }
  const jti = row === undefined ? randomBytes(16).toString('base64url') : text(row, 'jti');
  transaction(db, () => {
    db.prepare('DELETE FROM boot_tokens WHERE expires_at <= ?').run(timeText(nowMs));
    db.prepare(
      `INSERT INTO boot_tokens (jti, machine_uuid, expires_at) VALUES (:jti, :machineUuid, :expiresAt)
       ON CONFLICT (jti) DO UPDATE SET expires_at = :expiresAt`,
    ).run({ jti, machineUuid, expiresAt: timeText(latestMs) });
  });
  return { jti, expiresAtMs: latestMs };
}
