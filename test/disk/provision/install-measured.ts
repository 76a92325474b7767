import { diskLayer, makeBootDisk, smallestSystem } from '../../builders/boot-image.ts';
import { writeNoiseTar } from '../../builders/noise-layer.ts';
import { writeLayout } from '../../builders/oci-image.ts';
import { MemorySampler, type PeakMemory } from '../../builders/peak-memory.ts';
import { provisionOk } from '../../builders/provision.ts';
import { startRegistry } from '../../builders/registry.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { Resources } from '../../resources.ts';

export interface MeasuredInstall {
  readonly peak: PeakMemory;
  readonly seconds: number;
  /** Of layers 1…, as the installation itself counted them. */
  readonly entries: number;
  readonly fileBytes: number;
}

/** Installs an image of incompressible data in a zstd layer from a real registry, and watches the memory. */
export async function installMeasured(size: {
  readonly files: number;
  readonly fileBytes: number;
}): Promise<MeasuredInstall> {
  await using resources = new Resources();
  const layers = [
    diskLayer(await makeBootDisk(resources)),
    { file: await writeNoiseTar(resources, size), codec: 'zstd' },
    { bytes: buildTar(smallestSystem), codec: 'zstd' },
  ] as const;
  const { reference } = await writeLayout(resources.tempDir(), { layers });
  const registry = await startRegistry(resources);
  const image = await registry.push(reference, 'os/noise:1');
  const disk = resources.sparseFile(2 * 1024 ** 3 + Math.ceil((size.files * size.fileBytes * 1.2) / 4096) * 4096);
  let sampler: MemorySampler | null = null;
  const run = await provisionOk({
    image,
    disk,
    flags: ['--plain-http', '--no-inject-agent'],
    timeoutMs: 3_600_000,
    onStart: ({ pid }) => {
      sampler = new MemorySampler(pid ?? 0);
    },
  });
  const peak = (sampler as MemorySampler | null)?.stop();
  if (peak === undefined) throw new Error('the installation did not start');
  const facts = run.events.find(({ step, state }) => step === 'layer_extraction' && state === 'succeeded')?.facts;
  return { peak, seconds: run.seconds, entries: Number(facts?.['entries']), fileBytes: Number(facts?.['file_bytes']) };
}
