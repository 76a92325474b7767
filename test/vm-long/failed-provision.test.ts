import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskLayer, smallestSystem, writeBootImage } from '../builders/boot-image.ts';
import { writeLayout } from '../builders/oci-image.ts';
import type { Registry } from '../builders/registry.ts';
import { makeSmallBootDisk } from '../builders/small-boot-disk.ts';
import { buildTar } from '../builders/tar-builder.ts';
import { Resources, waitFor } from '../resources.ts';
import { InstallLab } from '../vm/install-lab.ts';
import { checkTables } from '../vm/installed-guest.ts';
import { waitForScreen } from '../vm/wait-for-screen.ts';

const gib = 1024 ** 3;

/** Changes one byte of a text in a blob as the registry has it (its storage driver `filesystem`). */
function damageBlob({ dataDir }: Registry, digest: string, text: string): void {
  const [algorithm = '', hex = ''] = digest.split(':');
  const file = join(dataDir, 'docker/registry/v2/blobs', algorithm, hex.slice(0, 2), hex, 'data');
  const bytes = readFileSync(file);
  const at = bytes.indexOf(text);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

test('a damaged image, a registry that is away, then neither: each failure is on the screen and at the server, and the next run succeeds', async () => {
  await using resources = new Resources();
  const lab = await InstallLab.create(resources);
  const disk = await makeSmallBootDisk(resources);
  const damaged = await writeLayout(resources.tempDir(), {
    layers: [diskLayer(disk), { bytes: buildTar(smallestSystem), codec: 'none' }],
  });
  await lab.push(damaged.reference, 'small:damaged');
  // In the content of a file: only the digest tells.
  damageBlob(lab.registry, damaged.layers[1]?.digest ?? '', 'ID=small');
  await lab.push((await writeBootImage(resources, { disk })).reference, 'small:good');
  const target = resources.sparseFile(2 * gib);
  const guest = await lab.startInstaller({
    ...{ medium: 'direct', firmware: 'seabios' },
    disks: [{ file: target, serial: 'TARGET' }],
    extraArgs: ['-no-reboot'],
  });
  const { vm } = guest;
  const { uuid: machineUuid } = await guest.waitForMachine(({ hardware }) => hardware !== null, {
    timeoutMs: 240_000,
  });
  const settings = { target_disk: null, inject_agent: false };
  const failing = async (image: string): Promise<(string | null)[]> => {
    const provisionUuid = await lab.provision(machineUuid, { image, settings });
    const isError = { what: 'error', is: ({ status }: { status: string }) => status === 'error', timeoutMs: 300_000 };
    const run = await lab.waitForRun(vm, { machineUuid, provisionUuid }, isError);
    const shown = await waitForScreen(vm, new RegExp(`FAILED.*${run.error_code}`, 'i'));
    console.log(shown.slice(0, 25 * 80), `\n${run.error_message}`);
    assert.ok((await guest.machines())[0]?.is_online, 'it is reachable');
    return [run.error_code, run.disk_state];
  };
  assert.deepEqual(await failing('small:damaged'), ['digest_mismatch', 'partial']);
  lab.hideRegistry();
  assert.deepEqual(await failing('small:good'), ['registry_unreachable', 'untouched']);
  await lab.showRegistry();

  const provisionUuid = await lab.provision(machineUuid, { image: 'small:good', settings });
  await lab.waitForRun(
    vm,
    { machineUuid, provisionUuid },
    { what: 'completed', is: ({ status }) => status === 'completed', timeoutMs: 300_000 },
  );
  await waitFor('the restart', () => vm.hasEnded, { timeoutMs: 60_000 });
  assert.equal(vm.endReason, 'guest-reset');
  await checkTables(target);
});
