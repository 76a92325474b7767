import type { DatabaseSync } from 'node:sqlite';

/** Per machine; the oldest go first. */
const keptLetters = 32;
const keptCharacters = 64 * 1024;

export interface DeadLetter {
  readonly machineUuid: string;
  readonly bootId: string;
  readonly seq: number;
  readonly time: string;
  readonly error: string;
  /** JSON text. */
  readonly frame: string;
}

/**
 * Keeps a frame that cannot be applied. It is acknowledged, because an agent that sent it again and again would get no
 * other answer; what it said is here for a person.
 */
export function storeDeadLetter(db: DatabaseSync, letter: DeadLetter): void {
  db.prepare(
    `INSERT INTO agent_dead_letters (machine_uuid, boot_id, seq, received_at, error, frame) VALUES (?, ?, ?, ?, ?, ?)`,
  ).run(
    letter.machineUuid,
    letter.bootId,
    letter.seq,
    letter.time,
    letter.error.slice(0, 1024),
    letter.frame.slice(0, keptCharacters),
  );
  db.prepare(
    `DELETE FROM agent_dead_letters WHERE machine_uuid = ?1 AND id <=
     (SELECT id FROM agent_dead_letters WHERE machine_uuid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ${keptLetters})`,
  ).run(letter.machineUuid);
}
