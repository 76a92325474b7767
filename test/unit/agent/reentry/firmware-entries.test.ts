import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFirmwareBoot } from '../../../../agent/boot/firmware-boot.ts';
import { networkEntry } from '../../../../agent/reentry/firmware-entries.ts';

/** `efibootmgr --verbose` (17 and 18) under OVMF, with two cards. */
const printed = `BootNext: 0007
BootCurrent: 0001
Timeout: 0 seconds
BootOrder: 0001,0004,0003,0002,0000
Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)
Boot0001* Durantic: Debian 12\tHD(2,GPT,10000000-0000-4000-8000-000000000002,0x1000,0x80000)/File(\\EFI\\BOOT\\BOOTX64.EFI)
Boot0002* UEFI PXEv4 (MAC:525400000001)\tPciRoot(0x0)/Pci(0x2,0x0)/MAC(525400000001,1)/IPv4(0.0.0.0,0,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)
Boot0003* UEFI PXEv6 (MAC:525400000002)\tPciRoot(0x0)/Pci(0x3,0x0)/MAC(525400000002,1)/IPv6([::]:<->[::]:,0,Static,[::],[::],64)
Boot0004* UEFI HTTPv4 (MAC:525400000002)\tPciRoot(0x0)/Pci(0x3,0x0)/MAC(525400000002,1)/IPv4(0.0.0.0,0,DHCP,0.0.0.0,0.0.0.0,0.0.0.0)/Uri()
Boot0007* Durantic installer (once)\tHD(2,GPT,10000000-0000-4000-8000-000000000002,0x1000,0x80000)/File(\\EFI\\durantic\\vmlinuz.efi)i.n.i.t.r.d.
`;

test('what the firmware would start next, in which order, and from what', () => {
  const boot = parseFirmwareBoot(printed);
  assert.equal(boot.bootCurrent, '0001');
  assert.deepEqual([boot.bootNext, boot.bootOrder], ['0007', ['0001', '0004', '0003', '0002', '0000']]);
  assert.equal(boot.entries.find(({ number }) => number === '0007')?.label, 'Durantic installer (once)');
});

test("a network entry is that of the server's card, IPv4 first, else the first of the order", () => {
  const boot = parseFirmwareBoot(printed);
  assert.equal(networkEntry(boot, '52:54:00:00:00:01')?.number, '0002');
  assert.equal(networkEntry(boot, '52:54:00:00:00:02')?.number, '0004');
  assert.equal(networkEntry(boot, null)?.number, '0004');
  const none = parseFirmwareBoot(printed.replace(/^.*MAC\(.*\n/gm, ''));
  assert.equal(networkEntry(none, null), null);
  assert.deepEqual(parseFirmwareBoot(''), { entries: [], bootCurrent: null, bootNext: null, bootOrder: [] });
});
