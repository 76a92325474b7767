import type { DatabaseSync } from 'node:sqlite';
import { timeOrNull } from '../store/row-values.ts';
import type { Recognition } from './recognition.ts';

/** A machine and the key that another one may be about to replace. */
export interface KeyHolder {
  readonly uuid: string;
  readonly publicKey: string;
  /** Milliseconds since 1970. */
  readonly keySinceMs: number;
}

/** Whom a machine can be a second record of is for a person to read, not a list of a whole series of boards. */
export const maxDuplicates = 32;

/** The machine that has this key, or null. */
export function machineOfKey(db: DatabaseSync, publicKey: string): string | null {
  const row = db.prepare('SELECT uuid FROM machines WHERE public_key = ?').get(publicKey);
  return row === undefined ? null : String(row['uuid']);
}

/**
 * The machine whose key is to be replaced: SMBIOS UUID, board serial and the whole set of permanent MACs equal those of
 * exactly one machine that was never installed (protocol.md, "Machine identity"). A board without a serial of its own
 * equals only another without; without UUID or MACs there is nothing to go by.
 */
export function findRekeyCandidate(
  db: DatabaseSync,
  accountUuid: string,
  { systemUuid, boardSerial, macs }: Recognition,
): KeyHolder | null {
  if (systemUuid === null || macs.length === 0) return null;
  const rows = db
    .prepare(
      `SELECT uuid, public_key, key_since FROM machines
       WHERE system_uuid = ? AND account_uuid = ? AND was_installed = 0 AND public_key IS NOT NULL
         AND board_serial IS ? AND macs = ? LIMIT 2`,
    )
    .all(systemUuid, accountUuid, boardSerial, JSON.stringify(macs));
  const [row] = rows;
  if (row === undefined || rows.length !== 1) return null;
  return {
    uuid: String(row['uuid']),
    publicKey: String(row['public_key']),
    keySinceMs: timeOrNull(row, 'key_since') ?? 0,
  };
}

/**
 * Machines that may be the same hardware as this one: the same SMBIOS UUID, the same set of MACs, the same board serial
 * of the same vendor, or one that was registered with addresses that this one has.
 * @returns At most `maxDuplicates` UUIDs, oldest first.
 */
export function findPossibleDuplicates(db: DatabaseSync, machineUuid: string, recognition: Recognition): string[] {
  const { systemUuid, boardSerial, systemVendor, macs } = recognition;
  const macsText = JSON.stringify(macs);
  const rows = db
    .prepare(
      `SELECT uuid FROM machines WHERE uuid <> :self AND account_uuid = (SELECT account_uuid FROM machines WHERE uuid = :self)
       AND rowid IN (
         SELECT rowid FROM machines WHERE system_uuid = :systemUuid
         UNION SELECT rowid FROM machines WHERE macs = :macs AND :macs <> '[]'
         UNION SELECT rowid FROM machines WHERE board_serial = :boardSerial
           AND json_extract(facts, '$.system_vendor') IS :systemVendor
         UNION SELECT machines.rowid FROM json_each(:macs) AS mine
           JOIN machine_macs ON machine_macs.mac = mine.value
           JOIN machines ON machines.uuid = machine_macs.machine_uuid
           WHERE machines.public_key IS NULL
       ) ORDER BY rowid LIMIT ${maxDuplicates}`,
    )
    .all({ self: machineUuid, systemUuid, boardSerial, systemVendor, macs: macsText });
  return rows.map((row) => String(row['uuid']));
}
