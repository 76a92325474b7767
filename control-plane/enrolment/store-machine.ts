import { randomUUID } from 'node:crypto';
import { ProvisionError } from '../../core/base/errors.ts';
import type { MachineFacts } from '../../protocol/machine-facts.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { assignDefaultMesh } from '../mesh/allocate-address.ts';
import { chooseHostname } from './choose-hostname.ts';
import { recognitionOf } from './recognition.ts';

export interface NewMachine {
  /** Ed25519 x of the JWK; null for a machine that is known by its MAC only. */
  readonly publicKey: string | null;
  readonly facts: MachineFacts;
  /** Given by the operator; null: from the facts. */
  readonly hostname: string | null;
}

/** Writes the record of a new machine and puts it into the default mesh, inside a transaction. @returns Its UUID. */
export function insertMachine(context: ServerContext, { publicKey, facts, hostname }: NewMachine): string {
  const { db, accountUuid } = context;
  const uuid = randomUUID();
  const now = timestampOf(context.clock);
  const { macs } = recognitionOf(facts);
  db.prepare(
    `INSERT INTO machines (uuid, account_uuid, hostname, public_key, key_since, facts, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    uuid,
    accountUuid,
    hostname ?? chooseHostname({ hostname: facts.hostname, macs, machineUuid: uuid }),
    publicKey,
    publicKey === null ? null : now,
    '{}',
    now,
    now,
  );
  storeFacts(context, uuid, facts);
  assignDefaultMesh(context, uuid);
  return uuid;
}

/** Stores what a machine says about itself, and the copies for looking up. An installed agent makes it installed. */
export function storeFacts(
  context: ServerContext,
  machineUuid: string,
  facts: MachineFacts,
  /** Addresses that the operator registered and that the machine keeps though they are not among its own. */
  registeredMacs: readonly string[] = [],
): void {
  const { systemUuid, boardSerial, macs } = recognitionOf(facts);
  const isInstalled = facts.mode === 'installed' ? 1 : 0;
  const result = context.db
    .prepare(
      `UPDATE machines SET facts = :facts, system_uuid = :systemUuid, board_serial = :boardSerial, macs = :macs,
         discovered_ip_addresses = :addresses, mode = :mode, agent_version = coalesce(:agentVersion, agent_version),
         needs_provisioning = CASE WHEN :isInstalled AND NOT was_installed THEN 0 ELSE needs_provisioning END,
         was_installed = max(was_installed, :isInstalled), updated_at = :now
       WHERE uuid = :uuid`,
    )
    .run({
      uuid: machineUuid,
      facts: JSON.stringify(facts),
      systemUuid,
      boardSerial,
      macs: JSON.stringify([...new Set([...macs, ...registeredMacs])].sort()),
      addresses: JSON.stringify(facts.addresses),
      mode: facts.mode,
      agentVersion: facts.agent_version,
      isInstalled,
      now: timestampOf(context.clock),
    });
  if (result.changes !== 1) throw new ProvisionError('invariant', 'the facts are of a machine that is not there');
}

/** Gives a machine another key, inside a transaction. */
export function replaceKey(context: ServerContext, machineUuid: string, publicKey: string): void {
  const now = timestampOf(context.clock);
  const result = context.db
    .prepare('UPDATE machines SET public_key = ?, key_since = ?, updated_at = ? WHERE uuid = ?')
    .run(publicKey, now, now, machineUuid);
  if (result.changes !== 1) throw new ProvisionError('invariant', 'the key is for a machine that is not there');
}
