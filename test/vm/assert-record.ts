import assert from 'node:assert/strict';
import type { Machine } from '../../protocol/api/machines.ts';
import type { InstallerGuest } from './installer-guest.ts';
import type { Firmware } from './qemu-arguments.ts';

/**
 * The server's own record says which machine this is, how it was started, and which of its disks is the medium.
 * @param targets Serial numbers of the disks that a system can be installed on.
 */
export function assertRecord(
  machine: Machine,
  guest: InstallerGuest,
  { firmware, targets }: { readonly firmware: Firmware; readonly targets: readonly string[] },
): void {
  const { identity } = guest;
  const { facts, hardware } = machine;
  assert.equal(facts?.system_uuid, identity.smbiosUuid);
  assert.equal(facts.system_serial, identity.serial);
  assert.equal(facts.board_serial, identity.boardSerial);
  assert.equal(facts.system_vendor, 'Durantic Test');
  assert.equal(facts.firmware, firmware === 'ovmf' ? 'uefi' : 'bios');
  assert.equal(facts.mode, 'installer');
  assert.deepEqual(
    facts.nics.map(({ mac }) => mac),
    identity.macs,
  );
  assert.deepEqual(machine.macs, identity.macs);
  assert.equal(hardware?.firmware.kind, facts.firmware);
  assert.match(hardware.kernel ?? '', /^6\.18\./);
  const eligible = hardware.disks.filter(({ is_eligible }) => is_eligible).map(({ serial }) => serial);
  assert.deepEqual(eligible.sort(), [...targets].sort(), `the medium is no target: ${JSON.stringify(hardware.disks)}`);
}
