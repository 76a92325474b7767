import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readEmulationFlags } from '../../../../scripts/emulation/emulation-flags.ts';
import { findLayouts } from '../../../../scripts/emulation/emulation-registry.ts';
import { nextSteps } from '../../../../scripts/emulation/next-steps.ts';
import { Resources } from '../../../resources.ts';

test('an image is a name of those that are built, or a folder; without the option all that are built', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  assert.deepEqual(findLayouts(null, join(dir, 'none')), []);
  for (const name of ['debian-12', 'other', '_', 'Mine.1']) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'oci-layout'), '{}');
  }
  mkdirSync(join(dir, 'half-built'));
  const [debian, other] = ['debian-12', 'other'].map((name) => ({ name, dir: join(dir, name) }));
  assert.deepEqual(findLayouts([join(dir, 'Mine.1')]), [{ name: 'mine.1', dir: join(dir, 'Mine.1') }]);
  assert.throws(() => findLayouts([join(dir, '_')]), /"_" cannot be the name of an image/);
  for (const name of ['_', 'Mine.1']) rmSync(join(dir, name), { recursive: true });
  assert.deepEqual(findLayouts(null, dir), [debian, other]);
  assert.deepEqual(findLayouts(['other', join(dir, 'debian-12')], dir), [other, debian]);
  assert.throws(
    () => findLayouts(['debian-13'], dir),
    /no image debian-13: "scripts\/build-image debian-13" builds it/,
  );
  assert.throws(() => findLayouts([join(dir, 'half-built')], dir), /the folder is no OCI layout/);
});

test('what is printed names the machine and its images; with an image there is one command to the installed system', () => {
  const flags = readEmulationFlags([]);
  assert.ok(flags !== null);
  const steps = (images: readonly { name: string; url: string }[]): string =>
    nextSteps({
      ...{ flags, machine: 'node-abcdef', binary: 'dist/durantic', consoleLog: 'console', isTerminal: false },
      server: {
        ...{ url: 'https://10.0.2.2:1', pin: null, bootUrl: null, environment: { DURANTIC_PIN: 'sha256:0' } },
        registry: { host: '127.0.0.1:5000', name: '10.0.2.2:5000', images },
        makeToken: async () => null,
      },
    }).join('\n');
  const withImage = steps([{ name: 'debian-12', url: 'http://10.0.2.2:5000/debian-12:latest' }]);
  assert.match(withImage, /^ {2}dist\/durantic server provision node-abcdef +#/m);
  assert.match(
    withImage,
    /skopeo copy .* docker:\/\/127\.0\.0\.1:5000\/NAME:TAG\n.* http:\/\/10\.0\.2\.2:5000\/NAME:TAG/,
  );
  assert.doesNotMatch(withImage, /build-image/);
  assert.match(steps([]), /\.\/scripts\/build-image debian-12/);
});
