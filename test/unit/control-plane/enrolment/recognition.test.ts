import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameHardware, recognitionOf } from '../../../../control-plane/enrolment/recognition.ts';
import { machineFactsSchema } from '../../../../protocol/machine-facts.ts';

function recognise(facts: Record<string, unknown>) {
  return recognitionOf(machineFactsSchema.parse(facts));
}

test('UUIDs that whole series of boards share tell nothing', () => {
  for (const uuid of [
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '03000200-0400-0500-0006-000700080009',
    '00020003-0004-0005-0006-000700080009',
    'fefefefe-fefe-fefe-fefe-fefefefefefe',
    '12345678-1234-5678-90AB-CDDEEFAABBCC',
  ]) {
    assert.equal(recognise({ system_uuid: uuid }).systemUuid, null, uuid);
  }
});

test('UUIDs of real machines count, in lower case', () => {
  for (const uuid of [
    '4C4C4544-0042-3510-8052-B4C04F335931',
    '00000000-0000-0000-0000-AC1F6B4DD6A2',
    'ec2a1f0e-9d1c-4f5b-8a3e-0c1d2e3f4a5b',
  ]) {
    assert.equal(recognise({ system_uuid: uuid }).systemUuid, uuid.toLowerCase());
  }
});

test('serials that nobody filled in tell nothing', () => {
  for (const serial of [
    ...['', ' ', 'To be filled by O.E.M.', 'To Be Filled By O.E.M', 'Default string', 'Not Specified', 'None', 'N/A'],
    ...['0', '00000000', 'XXXXXXXXXX', '............', '0123456789', '123456789', '1234567890', 'System Serial Number'],
    ...[
      'SYS-1234567890',
      'Base Board Serial Number',
      'Type2 - Board Serial Number',
      'unknown',
      'INVALID',
      'empty',
      '12345',
    ],
  ]) {
    assert.equal(recognise({ board_serial: serial }).boardSerial, null, `"${serial}"`);
  }
});

test('serials of real boards count', () => {
  for (const serial of ['CN7475192B0123', '.B5R9YZ2.CNFCP0094H00AX.', 'WM17BS003121', '1234', 'PF0X1234567']) {
    assert.equal(recognise({ board_serial: serial }).boardSerial, serial);
  }
});

test('addresses are a set in order, without those of no interface', () => {
  const nics = [
    { name: 'b', mac: 'd0:94:66:00:00:02' },
    { name: 'a', mac: 'd0:94:66:00:00:01' },
    { name: 'bond', mac: 'd0:94:66:00:00:02' },
    { name: 'zero', mac: '00:00:00:00:00:00' },
    { name: 'ones', mac: 'ff:ff:ff:ff:ff:ff' },
    { name: 'group', mac: '01:00:5e:00:00:01' },
    { name: 'vm', mac: '52:54:00:12:34:56' },
  ];
  assert.deepEqual(recognise({ nics }).macs, ['52:54:00:12:34:56', 'd0:94:66:00:00:01', 'd0:94:66:00:00:02']);
});

test('the same hardware: UUID, serial and all MACs; a serial may be missing in both, the rest in none', () => {
  const nics = [
    { name: 'a', mac: '52:54:00:00:00:01' },
    { name: 'b', mac: '52:54:00:00:00:02' },
  ];
  const one = { system_uuid: '4c4c4544-0042-3510-8052-b4c04f335931', board_serial: 'CN74', nics };
  const isSame = (mine: object, yours: object): boolean =>
    isSameHardware(recognise({ ...mine }), recognise({ ...yours }));
  assert.equal(isSame(one, { ...one, nics: nics.toReversed(), hostname: 'other' }), true);
  assert.equal(isSame({ ...one, board_serial: null }, { ...one, board_serial: 'None' }), true);
  for (const change of [
    { system_uuid: '4c4c4544-0042-3510-8052-b4c04f335932' },
    { board_serial: 'CN75' },
    { board_serial: null },
    { nics: nics.slice(1) },
  ]) {
    assert.equal(isSame(one, { ...one, ...change }), false, JSON.stringify(change));
  }
  for (const nothing of [{ system_uuid: null }, { nics: [] }]) {
    assert.equal(isSame({ ...one, ...nothing }, { ...one, ...nothing }), false, JSON.stringify(nothing));
  }
});
