import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveDisk } from '../../../../agent/hardware/resolve-disk.ts';
import { diskFacts } from './disk-facts.ts';

const sata = diskFacts({ name: 'sdx', serial: 'S45PNA0M800000', wwn: '5002538e40aabbcc', sizeBytes: 480e9 });
const other = diskFacts({ name: 'sdy', serial: 'S45PNA0M800001', wwn: '5002538e40aabbcd', sizeBytes: 480e9 });
const nvme = diskFacts({
  name: 'nvme7n1',
  transport: 'nvme',
  model: 'SAMSUNG MZQL2960HCJR-00A07',
  serial: 'S64FNE0R900001',
  wwn: '36434630529000010025384100000002',
  sizeBytes: 960e9,
});
const virtio = diskFacts({ name: 'vdx', transport: 'virtio', model: null, serial: 'disk-1', sizeBytes: 20e9 });
const usb = diskFacts({
  name: 'sdu',
  transport: 'usb',
  model: 'SanDisk Ultra Fit',
  serial: '4C530001',
  removable: true,
  sizeBytes: 32e9,
});
const disks = [sata, other, nvme, virtio, usb];

test('F28 a disk is found by path, serial number, wwn and by-id name, without udev', async () => {
  const found = {
    '/dev/sdx': sata,
    'serial:S45PNA0M800000': sata,
    'wwn:0x5002538e40aabbcc': sata,
    'wwn:naa.5002538E40AABBCC': sata,
    '/dev/disk/by-id/wwn-0x5002538e40aabbcd': other,
    'ata-SAMSUNG_MZ7LH480HAHQ-00005_S45PNA0M800001': other,
    'scsi-35002538e40aabbcc': sata,
    '/dev/disk/by-id/nvme-eui.36434630529000010025384100000002': nvme,
    'nvme-SAMSUNG_MZQL2960HCJR-00A07_S64FNE0R900001': nvme,
    'nvme-SAMSUNG_MZQL2960HCJR-00A07_S64FNE0R900001_1': nvme,
    '/dev/disk/by-id/virtio-disk-1': virtio,
    'usb-SanDisk_Ultra_Fit_4C530001-0:0': usb,
  };
  for (const [spec, disk] of Object.entries(found))
    assert.equal((await resolveDisk(spec, disks)).path, disk.path, spec);
});

test('F28 the same disk is found after sda and sdb changed places', async () => {
  const swapped = [
    { ...sata, name: 'sdy', path: '/dev/sdy' },
    { ...other, name: 'sdx', path: '/dev/sdx' },
  ];
  assert.equal((await resolveDisk('serial:S45PNA0M800000', swapped)).path, '/dev/sdy');
  assert.equal((await resolveDisk('ata-SAMSUNG_MZ7LH480HAHQ-00005_S45PNA0M800000', swapped)).path, '/dev/sdy');
});

test('F28 what names no disk is an error that says which there are', async () => {
  const none = [
    '/dev/sdq',
    'serial:S45PNA0M80000',
    'serial:',
    'wwn:0x1',
    'ata-OTHER_S45PNA0M800000',
    'nvme-SAMSUNG_MZ7LH480_S45PNA0M800000',
    'ata-SAMSUNG_MZ7LH480_S45PNA0M800000-part1',
    'virtio-disk-10',
  ];
  for (const spec of none) {
    await assert.rejects(
      resolveDisk(spec, disks),
      { code: 'target_not_found', message: /sdx.*serial S45PNA0M800000/ },
      spec,
    );
  }
});

test('F20 F29 where nothing is named and nothing fits, every disk is listed with its reason, and no loop device', async () => {
  const loops = [0, 1].map((number) => diskFacts({ name: `loop${number}`, kind: 'loop' }));
  const medium = { ...virtio, isInstallerMedium: true };
  await assert.rejects(resolveDisk(null, [...loops, medium, usb]), {
    code: 'target_not_found',
    message: 'no disk can be installed on: /dev/vdx is installation media; /dev/sdu is a removable medium',
  });
  await assert.rejects(resolveDisk(null, loops), { message: /: the kernel knows no disk at all$/ });
  await assert.rejects(resolveDisk(null, [sata, nvme]), {
    code: 'target_ambiguous',
    message: /^2 disks can be installed on, and none is named: \/dev\/sdx .*; \/dev\/nvme7n1 /,
  });
});

test('F28 rules choose by size and transport', async () => {
  const found = {
    'size>=500G,transport=nvme,smallest': nvme,
    'transport=virtio': virtio,
    'size>=400GB,size<=490GB,transport=sata,largest': 'ambiguous',
    'size>=100G': 'ambiguous',
    smallest: virtio,
    largest: nvme,
    'size>=1T': 'none',
    'size>=0.9TB': nvme,
    'transport=usb': 'none',
  } as const;
  for (const [spec, wanted] of Object.entries(found)) {
    if (typeof wanted === 'object') assert.equal((await resolveDisk(spec, disks)).path, wanted.path, spec);
    else {
      const code = wanted === 'none' ? 'target_not_found' : 'target_ambiguous';
      await assert.rejects(resolveDisk(spec, disks), { code }, spec);
    }
  }
  await assert.rejects(resolveDisk('size>=10X,smallest', disks), { code: 'usage', message: /"size>=10X"/ });
  await assert.rejects(resolveDisk('transport=nvme,biggest', disks), { code: 'usage' });
});

test('without a name the only eligible disk is taken, and several are listed', async () => {
  assert.equal((await resolveDisk(null, [usb, nvme])).path, '/dev/nvme7n1');
  await assert.rejects(resolveDisk(null, disks), {
    code: 'target_ambiguous',
    message: /sdx.*SAMSUNG.*sdy.*nvme7n1.*vdx/,
  });
  await assert.rejects(resolveDisk(null, [usb]), { code: 'target_not_found', message: /removable/ });
  await assert.rejects(resolveDisk(null, []), { code: 'target_not_found', message: /no disk at all/ });
});

test('two paths to one disk are refused, however it is named', async () => {
  const twin = { ...sata, name: 'sdz', path: '/dev/sdz' };
  for (const spec of ['/dev/sdz', 'serial:S45PNA0M800000', 'wwn:5002538e40aabbcc', null]) {
    const candidates = spec === null ? [sata, twin] : [...disks, twin];
    await assert.rejects(resolveDisk(spec, candidates), {
      code: 'disk_not_eligible',
      message: /sdx and \/dev\/sdz are paths/,
    });
  }
  assert.equal((await resolveDisk('/dev/sdy', [...disks, twin])).path, '/dev/sdy');
});
