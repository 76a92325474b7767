import { randomUUID } from 'node:crypto';
import { ProvisionEvents } from '../agent/provision/provision-events.ts';

/**
 * `provision --json` that ended before its first step (flags, files, no consent): the last event all the same, so that
 * whoever reads the lines learns code, exit code and that the disk is untouched.
 */
export function printUnstarted(error: unknown): void {
  const onEvent = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
  new ProvisionEvents({ provisionUuid: randomUUID(), onEvent }).failed(null, error, 'untouched');
}
