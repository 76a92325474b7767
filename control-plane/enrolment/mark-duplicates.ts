import type { ServerContext } from '../context.ts';
import { findPossibleDuplicates, maxDuplicates } from './find-machines.ts';
import type { Recognition } from './recognition.ts';
import { recordMachineEvent } from './record-machine-event.ts';

/**
 * Marks a machine and those that it may be a second record of as possible duplicates of each other, inside a
 * transaction.
 * @returns The other machines whose marks changed.
 */
export function markDuplicates(context: ServerContext, machineUuid: string, recognition: Recognition): string[] {
  const others = findPossibleDuplicates(context.db, machineUuid, recognition);
  const newcomers = others.filter((other) => addMark(context, machineUuid, other));
  for (const other of newcomers) addMark(context, other, machineUuid);
  if (newcomers.length > 0) noteMarks(context, machineUuid, newcomers);
  return newcomers;
}

/** @returns False when the mark was there, or the list is full. */
function addMark({ db }: ServerContext, machineUuid: string, otherUuid: string): boolean {
  const result = db
    .prepare(
      `UPDATE machines SET possible_duplicates = json_insert(possible_duplicates, '$[#]', :other)
       WHERE uuid = :uuid AND instr(possible_duplicates, :other) = 0
         AND json_array_length(possible_duplicates) < ${maxDuplicates}`,
    )
    .run({ uuid: machineUuid, other: otherUuid });
  return result.changes === 1;
}

function noteMarks(context: ServerContext, machineUuid: string, others: readonly string[]): void {
  const message = 'this machine looks like another one: compare them, and adopt the key where they are the same';
  recordMachineEvent(context, { machineUuid, kind: 'possible_duplicate', message, facts: { of: others } });
  for (const other of others) {
    recordMachineEvent(context, {
      machineUuid: other,
      kind: 'possible_duplicate',
      message,
      facts: { of: [machineUuid] },
    });
  }
}
