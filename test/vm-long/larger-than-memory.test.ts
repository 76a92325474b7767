import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommand } from '../../core/base/run-command.ts';
import { diskLayer, smallestSystem } from '../builders/boot-image.ts';
import { writeNoiseTar } from '../builders/noise-layer.ts';
import { writeLayout } from '../builders/oci-image.ts';
import { makeSmallBootDisk } from '../builders/small-boot-disk.ts';
import { buildTar } from '../builders/tar-builder.ts';
import { Resources, waitFor } from '../resources.ts';
import { InstallLab } from '../vm/install-lab.ts';
import { checkTables, rootOffsetBytes } from '../vm/installed-guest.ts';

const mib = 1024 ** 2;
const noise = { files: 1280, fileBytes: mib };

/**
 * Watches memory until all layers are on the disk: the least that was available, and the most that the installer held
 * (proc(5), VmHWM, which is never given back) without the pages of its files.
 */
const hook = `
  value() { sed -n "s/^$1:[[:space:]]*\\([0-9]*\\) kB$/\\1/p" "$2"; }
  until [ -s /run/durantic/installer.pid ]; do usleep 100000; done
  pid=$(cat /run/durantic/installer.pid)
  least=$(value MemAvailable /proc/meminfo)
  until grep -q '"step":"sync_and_reboot"' /run/durantic/installer.log; do
    now=$(value MemAvailable /proc/meminfo)
    [ "$now" -ge "$least" ] || least=$now
    held=$(value VmHWM "/proc/$pid/status")
    private=$(value RssAnon "/proc/$pid/status")
    [ "$private" -le "\${most:-0}" ] || most=$private
    usleep 200000
  done
  swap=$(sed 1d /proc/swaps | wc -l)
  crash=$([ -e /run/durantic/crash ] && echo true || echo false)
  total=$(value MemTotal /proc/meminfo)
  prove memory "{\\"total_kib\\":$total,\\"least_available_kib\\":$least,\\"held_kib\\":$held,\\"private_kib\\":$most,\\"swaps\\":$swap,\\"crashed\\":$crash}"`;

test('F13 an image larger than the memory of the machine is installed within it', async () => {
  await using resources = new Resources();
  const lab = await InstallLab.create(resources);
  const layers = [
    diskLayer(await makeSmallBootDisk(resources)),
    { file: await writeNoiseTar(resources, noise), codec: 'zstd' },
    { bytes: buildTar(smallestSystem), codec: 'zstd' },
  ] as const;
  await lab.push((await writeLayout(resources.tempDir(), { layers })).reference, 'large:1');
  const target = resources.sparseFile(3 * 1024 * mib);
  const guest = await lab.startInstaller({
    ...{ medium: 'direct', firmware: 'seabios', memoryMib: 1024, overlay: { hook } },
    disks: [{ file: target, bus: 'virtio', serial: 'TARGET' }],
    extraArgs: ['-no-reboot'],
  });
  const { vm } = guest;
  const { uuid: machineUuid } = await guest.waitForMachine(() => true, { timeoutMs: 240_000 });
  const order = { image: 'large:1', settings: { target_disk: 'serial:TARGET', inject_agent: false } };
  const provisionUuid = await lab.provision(machineUuid, order);
  const began = Date.now();
  await lab.waitForRun(
    vm,
    { machineUuid, provisionUuid },
    { what: 'completed', is: ({ status }) => status === 'completed', timeoutMs: 1_800_000 },
  );
  const seconds = (Date.now() - began) / 1000;
  const { facts } = await guest.waitForProof('memory');
  const inMib = (name: string): number => Math.round(Number(facts[name]) / 1024);
  console.log(
    `${(noise.files * noise.fileBytes) / mib} MiB of incompressible files in ${seconds.toFixed(0)} s, with ` +
      `${inMib('total_kib')} MiB of memory: the installer held ${inMib('held_kib')} MiB at most, ` +
      `${inMib('private_kib')} MiB of them its own; ${inMib('least_available_kib')} MiB were available at least`,
  );
  assert.equal(facts['swaps'], 0);
  assert.equal(facts['crashed'], false);
  assert.ok(inMib('total_kib') * mib < noise.files * noise.fileBytes, 'the image is larger than the memory');
  assert.ok(inMib('held_kib') < 400, 'what the installer holds does not grow with the image');

  await waitFor('the restart', () => vm.hasEnded, { timeoutMs: 120_000 });
  await checkTables(target);
  const root = `${target}?offset=${await rootOffsetBytes(target)}`;
  await runCommand('e2fsck', ['-f', '-n', root]);
  const last = noise.files - 1;
  const { stdout } = await runCommand('debugfs', ['-R', `stat /noise/${Math.floor(last / 100)}/${last}`, root]);
  assert.match(stdout, new RegExp(`Size: ${noise.fileBytes}\\b`));
});
