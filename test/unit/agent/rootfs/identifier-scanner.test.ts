import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { identifierNeedles } from '../../../../agent/rootfs/identifier-needles.ts';
import { IdentifierScanner } from '../../../../agent/rootfs/identifier-scanner.ts';

const fsUuid = '3a5f9c1e-1b2c-4d3e-8f4a-5b6c7d8e9f01';
const partUuid = '4b6a0d2f-2c3d-4e4f-9a5b-6c7d8e9f0a12';
const diskGuid = '5c7b1e30-3d4e-4f50-8b6c-7d8e9f0a1b23';
const partition = { number: 3, typeGuid: '', partUuid, fsUuid, fsLabel: 'root', partLabel: 'sys', fsType: 'ext4' };

function find(bytes: Buffer, cuts: readonly number[] = []): string[] {
  const scanner = new IdentifierScanner(identifierNeedles([partition], diskGuid));
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.byteLength];
  for (let index = 1; index < edges.length; index += 1) scanner.push(bytes.subarray(edges[index - 1], edges[index]));
  scanner.endStream();
  return scanner.found.map(({ kind, value }) => `${kind} ${value}`);
}

const noise = Buffer.alloc(300, 'x');
const around = (part: Buffer): Buffer => Buffer.concat([noise, part, noise]);
/** UEFI's own example of the mixed-endian form: the first three fields are reversed. */
const mixed = Buffer.from('2f0d6a4b3d2c4f4e9a5b6c7d8e9f0a12', 'hex');

const forms: readonly (readonly [string, Buffer, string])[] = [
  ['lower-case text', Buffer.from(fsUuid), `fs_uuid ${fsUuid}`],
  ['upper-case text', Buffer.from(fsUuid.toUpperCase()), `fs_uuid ${fsUuid}`],
  ['systemd unit name', Buffer.from(fsUuid.replaceAll('-', '\\x2d')), `fs_uuid ${fsUuid}`],
  ['UTF-16', Buffer.from(partUuid.toUpperCase(), 'utf16le'), `part_uuid ${partUuid}`],
  ['plain bytes', Buffer.from(fsUuid.replaceAll('-', ''), 'hex'), `fs_uuid ${fsUuid}`],
  ['GUID bytes', mixed, `part_uuid ${partUuid}`],
  ['disk GUID', Buffer.from(diskGuid), `disk_guid ${diskGuid}`],
  ['label', Buffer.from(' root=LABEL=root '), 'label root'],
  ['partition label', Buffer.from('PARTLABEL=sys\n'), 'label sys'],
  ['label at the very end', Buffer.from('search.fs_label root'), 'label root'],
];

for (const [name, bytes, expected] of forms) {
  test(`finds an identifier as ${name}`, () => {
    const end = name === 'label at the very end' ? bytes : around(bytes);
    assert.deepEqual(find(end), [expected]);
  });
}

test('takes no longer word for a label and no almost equal UUID', () => {
  assert.deepEqual(find(Buffer.from('root=LABEL=rootfs LABEL=root ')), []);
  assert.deepEqual(find(Buffer.from(fsUuid.replace('9f01', '9f02'))), []);
});

test('property: an identifier is found wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.constantFrom(...forms), fc.array(fc.nat(700), { maxLength: 12 }), ([, bytes, expected], cuts) => {
      const whole = around(Buffer.concat([bytes, Buffer.from(' ')]));
      assert.deepEqual(
        find(
          whole,
          cuts.map((cut) => Math.min(cut, whole.byteLength)),
        ),
        [expected],
      );
    }),
  );
});
