import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { createNetworkBootLab } from '../../vm/network-boot-lab.ts';
import { assertDiskAtRest, installMachine } from '../../vm/scenarios/install-machine.ts';
import { StageClock } from '../../vm/scenarios/stage-clock.ts';

const gib = 1024 ** 3;
const buildImage = new URL('../../../scripts/build-image', import.meta.url).pathname;

test('S7 UEFI, an NVMe disk with sectors of 4096 bytes, iPXE: an image for such disks is installed and online', async (context) => {
  await using resources = new Resources();
  using clock = new StageClock(context, 'S7');
  const firmware = 'ovmf';
  const lab = await createNetworkBootLab(resources);
  const layout = join(resources.tempDir(), 'image');
  await runCommand(buildImage, ['debian-12', '--sector-size', '4096', '--to', `oci:${layout}:latest`]);
  await lab.push(`oci:${layout}:latest`, 'debian:12-4kn');
  const target = resources.sparseFile(8 * gib);
  clock.end('server, registry, image for 4096-byte sectors');
  const guest = await lab.startInstaller({
    ...{ medium: 'network', firmware, token: null, memoryMib: 1024 },
    disks: [{ file: target, bus: 'nvme', sectorBytes: 4096, serial: 'TARGET', bootIndex: 1 }],
  });
  const { uuid: machineUuid, hardware } = await guest.waitForMachine((machine) => machine.hardware !== null);
  assert.equal(hardware?.disks.find(({ serial }) => serial === 'TARGET')?.sector_bytes, 4096);
  clock.end('power-on to enrolled');
  const at = { lab, vm: guest.vm, machineUuid, firmware, clock } as const;
  const installed = await installMachine(at, { image: 'debian:12-4kn' });
  assert.match(installed.facts.root.source, /^\/dev\/nvme0n1p/);
  await assertDiskAtRest(at, installed, target);
});
