import { randomBytes } from 'node:crypto';
import { machineFactsSchema } from '../../protocol/machine-facts.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { ApiError, notFound } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { text, timeText } from '../store/row-values.ts';
import { sealToken } from './bootstrap-token.ts';
import { recordMachineEvent } from './record-machine-event.ts';
import { insertMachine } from './store-machine.ts';

export interface KnownMachine {
  /** Lower case with colons, at least one. */
  readonly macs: readonly string[];
  /** Null: made from the first MAC. */
  readonly hostname: string | null;
}

/**
 * Makes a record for a machine that has never been there. Its MACs enrol nothing: they only say which record a network
 * boot is about.
 * @returns Its UUID.
 * @throws ApiError 409 when a machine has one of the MACs.
 */
export function registerKnownMachine(context: ServerContext, { macs, hostname }: KnownMachine): string {
  const machineUuid = transaction(context.db, () => {
    for (const mac of macs) {
      const known = context.db.prepare('SELECT machine_uuid FROM machine_macs WHERE mac = ? LIMIT 1').get(mac);
      if (known !== undefined) throw new ApiError(409, `${mac} belongs to machine ${text(known, 'machine_uuid')}`);
    }
    const nics = [...new Set(macs)].map((mac) => ({ name: '', mac }));
    const uuid = insertMachine(context, { publicKey: null, facts: machineFactsSchema.parse({ nics }), hostname });
    recordMachineEvent(context, {
      machineUuid: uuid,
      kind: 'registered',
      message: `registered with ${nics.map(({ mac }) => mac).join(', ')}`,
      facts: {},
    });
    return uuid;
  });
  context.events.publish({ type: 'machine', uuid: machineUuid });
  return machineUuid;
}

/** Until then the machine's next network boot gets the installer. @throws ApiError 404. */
export function markForInstall(context: ServerContext, machineUuid: string, untilMs: number): void {
  setInstallUntil(context, machineUuid, timeText(untilMs));
}

/** Takes the mark back, and with it every single-use token that was not used. @throws ApiError 404. */
export function unmarkForInstall(context: ServerContext, machineUuid: string): void {
  setInstallUntil(context, machineUuid, null);
}

function setInstallUntil(context: ServerContext, machineUuid: string, until: string | null): void {
  const { db, accountUuid } = context;
  transaction(db, () => {
    const result = db
      .prepare('UPDATE machines SET install_until = ?, updated_at = ? WHERE uuid = ? AND account_uuid = ?')
      .run(until, timestampOf(context.clock), machineUuid, accountUuid);
    if (result.changes !== 1) throw notFound(`machine ${machineUuid}`);
    if (until === null) db.prepare('DELETE FROM boot_tokens WHERE machine_uuid = ?').run(machineUuid);
  });
  context.events.publish({ type: 'machine', uuid: machineUuid });
}

export interface BootToken {
  readonly token: string;
  readonly machineUuid: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

const bootTokenLifetimeMs = 15 * 60 * 1000;
/** A token younger than this is given again as it is: whoever asks over and over causes no writes. */
const renewAfterMs = 60 * 1000;

/**
 * The single-use token for the iPXE script of a MAC, or null: only one machine has this MAC and its operator has it
 * marked for installation. A machine has one unused token at a time, however often its script is fetched: all that were
 * given since the last use are the same one, so one use spends them all.
 */
export async function issueBootToken(context: ServerContext, mac: string): Promise<BootToken | null> {
  const { db, clock, accountUuid } = context;
  const nowMs = clock.now();
  const marked = db
    .prepare(
      `SELECT machines.uuid FROM machine_macs JOIN machines ON machines.uuid = machine_macs.machine_uuid
       WHERE mac = ? AND install_until > ? AND account_uuid = ? LIMIT 2`,
    )
    .all(mac.toLowerCase().replaceAll('-', ':'), timeText(nowMs), accountUuid);
  const [machine] = marked;
  if (machine === undefined || marked.length !== 1) return null;
  const machineUuid = text(machine, 'uuid');
  const { jti, expiresAtMs } = reserveBootToken(context, machineUuid);
  const { token } = await sealToken(context, {
    accountUuid,
    name: 'network boot',
    expiresAtMs,
    machine: { uuid: machineUuid, jti },
  });
  return { token, machineUuid, expiresAtMs };
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
