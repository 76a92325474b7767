import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProof } from '../../vm/proof.ts';
import { qemuArguments, vmFiles } from '../../vm/qemu-arguments.ts';

const line = (facts: object, nonce = 'n', done = true): string =>
  `${JSON.stringify({ test: 'boot', nonce, done, facts })}\n`;

test('a proof counts only when its line is whole, its nonce is ours and it says done', () => {
  const expected = { test: 'boot', nonce: 'n' };
  assert.equal(findProof('', expected), undefined);
  assert.equal(findProof(line({ a: 1 }).trimEnd(), expected), undefined);
  assert.equal(findProof(line({}), { test: 'other', nonce: 'n' }), undefined);
  assert.deepEqual(findProof(line({ a: 1 }), expected)?.facts, { a: 1 });
  assert.throws(() => findProof(line({}, 'other'), expected), /foreign nonce/);
  assert.throws(() => findProof(line({ exit_code: 3 }, 'n', false), expected), /boot failed: \{"exit_code":3\}/);
  assert.throws(() => findProof('login: \n', expected), /not a proof: login/);
});

test('a log sits on the image, under the throttle, and gets every flush; such a disk has no WRITE ZEROES', () => {
  const disks = [{ file: '/d', writeLogFile: '/l', throttle: { writeBytesPerSecond: 5 }, sectorBytes: 4096 as const }];
  const args = qemuArguments({ name: 'x', firmware: 'seabios', disks, network: null }, vmFiles('/v'), 'n,once');
  const nodes = args.filter((_, index) => args[index - 1] === '-blockdev').map((value) => JSON.parse(value));
  const byName = new Map(nodes.map((node) => [node['node-name'], node]));
  assert.deepEqual(
    nodes.map((node) => [node.driver, node.cache['no-flush']]),
    [
      ['file', true],
      ['raw', false],
      ['file', true],
      ['raw', false],
      ['blklogwrites', false],
      ['throttle', false],
    ],
  );
  assert.equal(byName.get('disk0-throttle').file, 'disk0-log');
  assert.equal(byName.get('disk0-log').file, 'disk0-image');
  assert.equal(byName.get('disk0-log')['log-sector-size'], 4096);
  const device = args.find((value) => value.startsWith('virtio-blk-pci')) ?? '';
  assert.match(device, /drive=disk0-throttle,.*logical_block_size=4096.*write-zeroes=off/);
  assert.ok(args.includes('name=opt/durantic/nonce,string=n,,once'), 'the nonce is handed over, commas doubled');
  assert.ok(!args.some((value) => value.startsWith('virtio-net')), 'network: null is no card');
});
