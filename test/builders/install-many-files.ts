import assert from 'node:assert/strict';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resources } from '../resources.ts';
import { diskLayer, makeBootDisk, smallestSystem } from './boot-image.ts';
import { type ManyFiles, writeManyFiles } from './many-files.ts';
import { measurePss, type PssPeak } from './measure-pss.ts';
import { writeLayout } from './oci-image.ts';
import { provision } from './provision.ts';
import { startRegistry } from './registry.ts';
import { buildTar } from './tar-builder.ts';

export interface MeasuredInstall {
  readonly peak: PssPeak;
  readonly seconds: number;
  readonly entries: number;
}

/** Installs incompressible files by the built binary from a real registry, and measures the memory of all it runs. */
export async function installManyFiles(
  resources: Resources,
  spec: ManyFiles & { diskBytes: number },
): Promise<MeasuredInstall> {
  const dir = resources.tempDir('durantic-many-');
  const tar = join(dir, 'files.tar');
  await writeManyFiles(tar, spec);
  const layers = [
    diskLayer(await makeBootDisk(resources)),
    { file: tar, codec: 'zstd' as const },
    { bytes: buildTar(smallestSystem), codec: 'zstd' as const },
  ];
  const layout = join(dir, 'layout');
  await writeLayout(layout, { layers, tag: 'many' });
  rmSync(tar);
  const registry = await startRegistry(resources);
  const image = await registry.push(`oci:${layout}:many`, 'many:1');
  rmSync(layout, { recursive: true });
  const disk = join(dir, 'disk.raw');
  writeFileSync(disk, '');
  truncateSync(disk, spec.diskBytes);
  let measured: { stop(): PssPeak } | null = null;
  const run = await provision({
    image,
    disk,
    flags: ['--plain-http', '--no-inject-agent'],
    timeoutMs: 3_600_000,
    onStart: ({ pid }) => {
      if (pid !== undefined) measured = measurePss(pid);
    },
  });
  const peak = (measured as { stop(): PssPeak } | null)?.stop() ?? { bytes: 0, samples: 0 };
  assert.equal(run.exitCode, 0, run.stderr);
  const done = run.events.find(({ step, state }) => step === 'layer_extraction' && state === 'succeeded');
  return { peak, seconds: run.seconds, entries: Number(done?.facts?.['entries'] ?? 0) };
}
