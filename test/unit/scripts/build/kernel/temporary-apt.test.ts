import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mirrorOf, sourceLine } from '../../../../../scripts/build/kernel/temporary-apt.ts';

const mirror = 'http://mirror.example/debian/';

test('a source line names the mirror, the suite and the archive keys where they are installed', () => {
  const suite = { type: 'deb-src', suite: 'trixie-backports', component: 'main' } as const;
  assert.equal(sourceLine(mirror, suite, '/nowhere'), `deb-src ${mirror} trixie-backports main\n`);
  assert.equal(sourceLine(mirror, suite, '/bin'), `deb-src [signed-by=/bin] ${mirror} trixie-backports main\n`);
});

test('the mirror is that of the release itself, not that of its security updates', () => {
  const sources = [
    { uri: 'http://security.example/', release: 'bookworm-security', component: 'main' },
    { uri: mirror, release: 'bookworm', component: 'main' },
  ];
  assert.equal(mirrorOf(sources, 'bookworm'), mirror);
  assert.throws(() => mirrorOf(sources.slice(0, 1), 'bookworm'), /name no Debian mirror of bookworm/);
});
