import { InvalidArgumentError } from 'commander';

/** Of every argument that names a machine. */
export const machineHelp = 'hostname, UUID, or the beginning of a UUID';

/** Collects an option that may be given several times. */
export function append(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** @throws InvalidArgumentError */
export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
