import { z } from 'zod';
import { ProvisionError } from '../base/errors.ts';

export interface NamedMachine {
  readonly uuid: string;
  readonly hostname: string;
}

const shortestPrefix = 4;
const mostListed = 10;

/**
 * The machine that a person means: by UUID, by hostname (which need not be unique), or by the beginning of its UUID.
 * What is written exactly goes before what is only the beginning.
 * @throws ProvisionError `object_not_found`, `object_ambiguous` with the candidates.
 */
export function resolveMachine<T extends NamedMachine>(machines: readonly T[], name: string): T {
  const wanted = name.toLowerCase();
  const ways: readonly ((machine: T) => boolean)[] = [
    ({ uuid }) => uuid === wanted,
    ({ hostname }) => hostname.toLowerCase() === wanted,
    ({ uuid }) => wanted.length >= shortestPrefix && uuid.startsWith(wanted),
  ];
  for (const fits of ways) {
    const found = machines.filter(fits);
    if (found.length > 1) throw ambiguous(name, found);
    if (found[0] !== undefined) return found[0];
  }
  const what = z.uuid().safeParse(wanted).success ? 'UUID' : 'hostname or beginning of a UUID';
  throw new ProvisionError('object_not_found', `no machine has the ${what} ${name}`);
}

function ambiguous(name: string, machines: readonly NamedMachine[]): ProvisionError {
  const listed = machines.slice(0, mostListed).map(({ uuid, hostname }) => `${uuid} (${hostname})`);
  const more = machines.length > mostListed ? ` and ${machines.length - mostListed} more` : '';
  const message = `${name} is the name of ${machines.length} machines: ${listed.join(', ')}${more}; give the UUID`;
  return new ProvisionError('object_ambiguous', message);
}
