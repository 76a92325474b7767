import { after, before, describe, it } from 'node:test';
import { buildTar, type RawEntry } from '../../builders/tar-builder.ts';
import { Arena } from './arena.ts';
import { hostileArchives } from './hostile-archives.ts';

let arena: Arena;
before(async () => {
  arena = await Arena.open();
});
after(async () => {
  await arena[Symbol.asyncDispose]();
});

describe('hostile archives', () => {
  for (const archive of hostileArchives) {
    it(`F49 ${archive.name}`, async () => {
      const one = arena.newCase();
      const place = <T extends RawEntry | Buffer>(entry: T): T => withCanary(entry, `${one.dir}/canary`);
      const layers = archive.layers.map((entries) => buildTar(entries.map(place)));
      if (archive.refused === undefined) await one.assertEqual(layers);
      else await one.assertRefused(layers, archive.refused);
    });
  }
});

function withCanary<T extends RawEntry | Buffer>(entry: T, canary: string): T {
  if (Buffer.isBuffer(entry)) return entry;
  const put = (text: string | undefined): string | undefined => text?.replace('CANARY', canary);
  return { ...entry, name: put(entry.name), linkName: put(entry.linkName) };
}
