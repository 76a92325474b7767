import { sleep } from '../../core/base/abort.ts';
import type { Enrolment } from './enrolment.ts';

/** How long a machine may take to answer a ping, and to open its first socket after it got its key. */
const answerMs = 5000;
const pollMs = 50;

/**
 * True when nobody is there with the machine's present key: its socket is gone or answers no ping in time. A machine
 * that got its key a moment ago is on its way to the socket: of two clones that enrol at once the first must not lose
 * its key to the second before it could connect.
 */
export async function isSilent(
  { hub, context }: Enrolment,
  machine: { readonly uuid: string; readonly keySinceMs: number },
): Promise<boolean> {
  const startedMs = context.clock.now();
  const ageMs = Math.max(0, startedMs - machine.keySinceMs);
  const hasSpoken = (hub.lastSeenAt(machine.uuid) ?? 0) >= machine.keySinceMs;
  if (!hasSpoken) {
    const deadlineMs = performance.now() + (answerMs - ageMs);
    while (!hub.isConnected(machine.uuid) && performance.now() < deadlineMs) await sleep(pollMs);
  }
  if (!hub.isConnected(machine.uuid)) return true;
  if (await hub.answersPing(machine.uuid, answerMs)) return false;
  // A newer socket of the same machine may have come while the old one was asked.
  return (hub.lastSeenAt(machine.uuid) ?? 0) <= startedMs;
}
