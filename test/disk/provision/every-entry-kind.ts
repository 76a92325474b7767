import { buildTar, gnuMagic, type RawEntry } from '../../builders/tar-builder.ts';
import { sparseFormats } from '../../builders/tar-sparse.ts';
import { entryStacks } from '../layer/entry-stacks.ts';
import { hostileArchives } from '../layer/hostile-archives.ts';

type Stack = readonly (readonly (RawEntry | Buffer)[])[];

/** Every kind of entry of F46 to F49 as the layers of one image; each stack of the layer tests has a folder of its own. */
export interface EveryEntryKind {
  /** Uncompressed tars. */
  readonly layers: readonly Buffer[];
  /** Names of the stacks that are in them. */
  readonly stacks: readonly string[];
}

export function everyEntryKind(): EveryEntryKind {
  const hostile = hostileArchives.filter(({ refused }) => refused === undefined);
  const all: [string, Stack][] = [
    ...Object.entries(entryStacks),
    ...hostile.map(({ name, layers }): [string, Stack] => [`F49 ${name}`, layers]),
  ];
  // Ready blocks cannot be moved into a folder; the sparse formats among them are made anew below.
  const movable = all.filter(([, layers]) => !layers.flat().some((entry) => Buffer.isBuffer(entry)));
  const layers: (RawEntry | Buffer)[][] = [];
  for (const [index, [, stack]] of movable.entries()) {
    const folder = `stack-${index}`;
    stack.forEach((entries, layer) => {
      layers[layer] ??= [];
      if (layer === 0) layers[layer].push({ name: folder, typeflag: '5', mode: 0o755 });
      layers[layer].push(...entries.map((entry) => below(folder, entry as RawEntry)));
    });
  }
  layers[0]?.push(...sparseFiles());
  return { layers: layers.map((entries) => buildTar(entries)), stacks: movable.map(([name]) => name) };
}

/** The entry in a folder: its own name, and what hard links and absolute symlinks lead to. */
function below(folder: string, entry: RawEntry): RawEntry {
  const { name, longName, prefix, pax, linkName, typeflag } = entry;
  const hasPrefix = prefix !== undefined && entry.magic !== gnuMagic;
  const isNamedElsewhere = hasPrefix || longName !== undefined || pax?.some(([key]) => key === 'path') === true;
  return {
    ...entry,
    ...(isNamedElsewhere && name === undefined ? {} : { name: hasPrefix ? name : `${folder}/${name ?? 'file'}` }),
    ...(hasPrefix ? { prefix: `${folder}/${prefix}` } : {}),
    ...(longName === undefined ? {} : { longName: `${folder}/${longName}` }),
    ...(pax === undefined
      ? {}
      : { pax: pax.map(([key, value]) => [key, key === 'path' ? joined(folder, value) : value]) }),
    ...(linkName === undefined ? {} : { linkName: linkBelow(folder, linkName, typeflag === '1') }),
  } as RawEntry;
}

function linkBelow(folder: string, target: string, isHardLink: boolean): string {
  if (isHardLink) return `${folder}/${target}`;
  return target.startsWith('/') ? `/${folder}${target}` : target.replace('CANARY', `/${folder}/canary`);
}

function joined(folder: string, value: string | Uint8Array): string | Uint8Array {
  const start = Buffer.from(`${folder}/`);
  return typeof value === 'string' ? `${folder}/${value}` : Buffer.concat([start, value]);
}

/** Old GNU headers are not among what umoci reads. */
function sparseFiles(): Buffer[] {
  return Object.entries(sparseFormats)
    .filter(([format]) => format !== 'old GNU')
    .map(([format, build]) => build(`sparse ${format}`, 3_000_000, [{ offset: 500_000, data: 'b'.repeat(5000) }]));
}
