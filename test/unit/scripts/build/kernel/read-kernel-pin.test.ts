import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKernelPin, readKernelPin } from '../../../../../scripts/build/kernel/read-kernel-pin.ts';

const text = `# comment
VERSION=6.18.15
TARBALL=linux.tar.xz
SHA256=${'a'.repeat(64)}
DEBIAN_SOURCE=linux=6.18.15-1~bpo13+1
DEBIAN_SUITE=trixie-backports
KERNEL_ORG_URL=https://example.org/linux.tar.xz
FIRMWARE_SUITE=trixie
`;

test('names and values are read; a value may hold an equals sign', () => {
  const pin = parseKernelPin(text);
  assert.equal(pin.version, '6.18.15');
  assert.equal(pin.debianSource, 'linux=6.18.15-1~bpo13+1');
});

test('a missing name and a checksum that is none are refused', () => {
  assert.throws(() => parseKernelPin(text.replace(/^VERSION.*\n/m, '')), /does not say VERSION/);
  assert.throws(() => parseKernelPin(text.replace(/^TARBALL.*$/m, 'TARBALL=')), /does not say TARBALL/);
  assert.throws(() => parseKernelPin(text.replace('a'.repeat(64), 'a'.repeat(63))), /is no SHA-256/);
});

test('the pin of the repository is one of Linux 6.18, and its places speak of the same version', () => {
  const pin = readKernelPin();
  assert.match(pin.version, /^6\.18\.\d+$/);
  for (const place of [pin.tarball, pin.debianSource, pin.kernelOrgUrl]) assert.ok(place.includes(pin.version), place);
});
