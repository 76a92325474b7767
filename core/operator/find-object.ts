import { ProvisionError } from '../base/errors.ts';

export interface NamedObject {
  readonly uuid: string;
  readonly name: string;
}

/**
 * The object of a list that has the name or, where none has, the UUID. Official objects can share the name of an own one,
 * which then goes first.
 * @throws ProvisionError `object_not_found`, which lists what there is.
 */
export function findObject<T extends NamedObject & { readonly is_official?: boolean }>(
  objects: readonly T[],
  kind: string,
  name: string,
): T {
  const named = objects.filter((object) => object.name === name);
  const found =
    named.find((object) => object.is_official !== true) ??
    named[0] ??
    objects.find(({ uuid }) => uuid === name.toLowerCase());
  if (found !== undefined) return found;
  throw new ProvisionError('object_not_found', `there is no ${kind} ${JSON.stringify(name)}${listOf(objects)}`);
}

const mostListed = 10;

function listOf(objects: readonly NamedObject[]): string {
  if (objects.length === 0) return '; there is none at all';
  const names = objects.slice(0, mostListed).map(({ name }) => name);
  return `; there is ${names.join(', ')}${objects.length > mostListed ? ', …' : ''}`;
}
