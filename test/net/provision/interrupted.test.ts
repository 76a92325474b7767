import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import type { ProvisionEvent, StepId } from '../../../protocol/provision-event.ts';
import type { WrittenLayout } from '../../builders/oci-image.ts';
import { type ProvisionRun, provision, provisionOk } from '../../builders/provision.ts';
import { startFaultyRegistry } from '../../fakes/faulty-registry.ts';
import { Resources, waitFor } from '../../resources.ts';
import type { Tree } from '../../tree.ts';
import {
  assertNotBootable,
  assertNothingHeld,
  assertSameTree,
  diskBytes,
  installedTree,
  writeSmallImage,
} from './faulty-install.ts';
import { mountsBelow, ownPlace, type Place, release } from './own-place.ts';

const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let layout: WrittenLayout;
let tree: Tree;
const stepMs = new Map<StepId, number>();
before(async () => {
  layout = await writeSmallImage(resources);
  const file = resources.sparseFile(diskBytes);
  const run = await provisionOk({ image: layout.reference, disk: file });
  for (const { step, state, time } of run.events) {
    if (step === null || state === 'progress' || state === 'warning') continue;
    stepMs.set(step, Date.parse(time) - (state === 'started' ? 0 : (stepMs.get(step) ?? 0)));
  }
  tree = await installedTree(file);
});

/** No table that BIOS, UEFI or Linux would look at, or else a whole installation. */
async function assertNothingOrEverything(file: string): Promise<'nothing' | 'everything'> {
  await using handle = await open(file, 'r');
  const { buffer: first } = await handle.read(Buffer.alloc(512), 0, 512, 0);
  if (first.every((byte) => byte === 0)) {
    const { stdout } = await runCommand('sfdisk', ['--dump', file], { okExitCodes: [0, 1] });
    assert.equal(stdout, '', 'sfdisk finds a table');
    return 'nothing';
  }
  assertSameTree(await installedTree(file), tree);
  return 'everything';
}

test('F61 an installer that is killed at any moment leaves no table or a whole system, and the next one works', async (context) => {
  const seed = Number(process.env['DURANTIC_SEED'] ?? Date.now() % 2 ** 31);
  context.diagnostic(`DURANTIC_SEED=${seed}`);
  const random = randomOf(seed);
  // Half of them in the last step, which ends with the commit.
  const steps: StepId[] = ['bootloader_streaming', 'partition_resize', 'layer_extraction', 'cloud_init_configuration'];
  const moments = steps.flatMap((step) => [step, 'sync_and_reboot' as const]);
  const outcomes: string[] = [];
  for (const step of moments) {
    const afterMs = random() * (stepMs.get(step) ?? 0);
    await using own = new Resources();
    const { dir, env, file } = ownPlace(own);
    const killed = await provision({
      ...{ image: layout.reference, disk: file, env },
      onEvent: (event, child) => {
        if (event.step === step && event.state === 'started') setTimeout(() => child.kill('SIGKILL'), afterMs);
      },
    });
    await release(dir, file);
    const outcome = await assertNothingOrEverything(file);
    if (killed.exitCode === 0) assert.equal(outcome, 'everything');
    outcomes.push(`${Math.round(afterMs)} ms into ${step}: ${killed.exitCode === 0 ? 'too late, ' : ''}${outcome}`);
    await provisionOk({ image: layout.reference, disk: file, env });
    assert.equal(await assertNothingOrEverything(file), 'everything');
  }
  for (const outcome of outcomes) context.diagnostic(outcome);
});

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Interruption {
  readonly name: string;
  /** This layer's download stops for good in the middle; null lets all come. */
  readonly stalls: number | null;
  readonly when: (event: ProvisionEvent) => boolean;
  /** The signal comes so much later: while a program that we have started runs. */
  readonly afterMs?: number;
  readonly step: StepId;
  readonly diskState: 'untouched' | 'partial';
}

const started =
  (step: StepId) =>
  (event: ProvisionEvent): boolean =>
    event.step === step && event.state === 'started';
const interruptions: readonly Interruption[] = [
  {
    name: 'while it looks at the image',
    stalls: null,
    when: started('image_inspection'),
    step: 'image_inspection',
    diskState: 'untouched',
  },
  {
    name: 'while layer 0 is written',
    stalls: 0,
    when: started('bootloader_streaming'),
    step: 'bootloader_streaming',
    diskState: 'partial',
  },
  {
    // sgdisk alone sleeps for a second.
    name: 'while the partitions are made',
    stalls: null,
    when: started('partition_resize'),
    afterMs: 300,
    step: 'partition_resize',
    diskState: 'partial',
  },
  {
    name: 'while a layer is extracted',
    stalls: 2,
    when: started('layer_extraction'),
    step: 'layer_extraction',
    diskState: 'partial',
  },
];

for (const { name, step, diskState, ...how } of interruptions) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} ${name}: exit 7, no mount, no loop device and no folder is left`, async () => {
      await using own = new Resources();
      const place = ownPlace(own);
      const { dir, file } = place;
      const run = await interrupt(own, { ...how, ...place, signal });
      assert.equal(run.exitCode, 7, run.stderr);
      assert.deepEqual([run.last?.state, run.last?.code], ['aborted', 'aborted']);
      assert.match(run.last?.message ?? '', new RegExp(`stopped by ${signal}`));
      const states = diskState === 'untouched' ? ['untouched'] : ['erased', 'partial'];
      assert.ok(states.includes(run.last?.disk_state ?? ''), `the disk is ${run.last?.disk_state}`);
      const failed = run.events.filter(({ state }) => state === 'aborted').map((event) => event.step);
      assert.deepEqual(failed, [step, null]);
      assert.deepEqual(mountsBelow(dir), []);
      await assertNothingHeld(file);
      // What stays is where the program keeps its native parts.
      assert.deepEqual(
        readdirSync(dir).filter((entry) => entry !== `durantic-${process.geteuid?.()}`),
        [],
      );
      await assertNotBootable(file);
    });
  }
}

test('SIGINT in the last step: aborted with nothing bootable, or finished with everything', async (context) => {
  const seed = Number(process.env['DURANTIC_SEED'] ?? Date.now() % 2 ** 31);
  context.diagnostic(`DURANTIC_SEED=${seed}`);
  const random = randomOf(seed);
  for (let round = 0; round < 4; round += 1) {
    // At its very beginning there is all the time to stop.
    const afterMs = round === 0 ? 0 : random() * (stepMs.get('sync_and_reboot') ?? 0);
    await using own = new Resources();
    const { dir, env, file } = ownPlace(own);
    const run = await provision({
      ...{ image: layout.reference, disk: file, env },
      onEvent: (event, child) => {
        if (started('sync_and_reboot')(event)) setTimeout(() => child.kill('SIGINT'), afterMs);
      },
    });
    const outcome = await assertNothingOrEverything(file);
    context.diagnostic(`${Math.round(afterMs)} ms: exit ${run.exitCode}, ${outcome}`);
    // While a finished program tears itself down, Node has no handlers any more.
    const isOver = run.signal === 'SIGINT' && run.last?.state === 'succeeded';
    assert.ok(run.exitCode === 7 || run.exitCode === 0 || isOver, `exit ${run.exitCode}`);
    assert.equal(outcome === 'everything', run.last?.disk_state === 'complete', `the disk is ${run.last?.disk_state}`);
    if (run.exitCode === 0) assert.equal(outcome, 'everything');
    if (round === 0) assert.equal(outcome, 'nothing');
    assert.deepEqual(mountsBelow(dir), []);
    await assertNothingHeld(file);
  }
});

async function interrupt(
  own: Resources,
  how: Pick<Interruption, 'stalls' | 'when' | 'afterMs'> & Place & { readonly signal: NodeJS.Signals },
): Promise<ProvisionRun> {
  const { stalls, when, afterMs = 0, signal, file, env } = how;
  const digest = stalls === null ? null : (layout.layers[stalls]?.digest ?? '');
  const requestsBefore = stalls === 0 ? 2 : 1;
  const stall = { kind: 'stall', afterBytes: 200_000 } as const;
  const script = digest === null ? [] : [{ digest, skip: requestsBefore, answer: stall }];
  const registry = await startFaultyRegistry(own, { image: layout.dir, script });
  let isSent = false;
  const send = (kill: () => void): void => {
    if (!isSent) kill();
    isSent = true;
  };
  return await provision({
    ...{ image: `${registry.host}/os/test:latest`, disk: file, env },
    flags: ['--plain-http', '--no-inject-agent'],
    onEvent: (event, child) => {
      if (!when(event)) return;
      // With a stalled layer it is told once all that comes has come, which is when nothing else can happen any more.
      const isStalled = (): boolean => digest === null || registry.blobRequests(digest).length > requestsBefore;
      const kill = (): void => void setTimeout(() => child.kill(signal), afterMs);
      void waitFor('the stall', isStalled).then(() => send(kill));
    },
  });
}
