import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { Resources } from '../../resources.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { startInstallerServer } from '../installer-server.ts';

/** What the issue asks for on an idle machine; others may be at work on the one that runs this. */
const goalSeconds = { screen: 8, enrolled: 12 };
const allowance = 2;

/** Seconds of the guest's own clock since its kernel started. */
const timesSchema = z.object({
  first_stage: z.number(),
  second_stage: z.number(),
  program: z.number(),
  screen: z.number(),
  enrolled: z.number(),
});

// The screen is read where a person reads it: in the text of the first virtual console.
const hook = `
  up() { cut -d ' ' -f 1 /proc/uptime; }
  stamp() { dmesg | sed -n "s/^\\[ *\\([0-9.]*\\)\\] durantic: $1.*/\\1/p" | head -n 1; }
  until grep -aq '^ *durantic installer [0-9]' /dev/vcs1; do sleep 0.2; done
  screen=$(up)
  until grep -q '"event":"enrolled"' /run/durantic/installer.log; do sleep 0.2; done
  enrolled=$(up)
  program=$(awk '{ printf "%.2f", $22 / 100 }' "/proc/$(cat /run/durantic/installer.pid)/stat")
  prove timing "{\\"first_stage\\":$(stamp 'first stage starts'),\\"second_stage\\":$(stamp 'second stage is mounted'),\\
    \\"program\\":$program,\\"screen\\":$screen,\\"enrolled\\":$enrolled}"`.replaceAll('\\\n    ', '');

test('from the start of the kernel to the first screen and to "enrolled", by the clock of the guest', async (context) => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', overlay: { hook } },
    // One without a disk waits for the first until 15 s after its start.
    disks: [{ file: resources.sparseFile(1024 ** 3), serial: 'TARGET' }],
  });
  await guest.waitForMachine();
  const times = timesSchema.parse((await guest.waitForProof('timing')).facts);
  const { first_stage, second_stage, program, screen, enrolled } = times;
  const share = (from: number, to: number): string => `${(to - from).toFixed(1)} s`;
  context.diagnostic(
    `first screen ${screen.toFixed(1)} s after the start of the kernel (goal ${goalSeconds.screen} s):`,
  );
  context.diagnostic(
    `  kernel ${share(0, first_stage)}, both stages ${share(first_stage, program)}, Node ${share(program, screen)}`,
  );
  context.diagnostic(
    `enrolled after ${enrolled.toFixed(1)} s (goal ${goalSeconds.enrolled} s): ${share(program, enrolled)} of it Node`,
  );
  assert.ok(first_stage < second_stage && second_stage < program && program < screen, JSON.stringify(times));
  for (const name of ['screen', 'enrolled'] as const) {
    const most = goalSeconds[name] * allowance;
    assert.ok(times[name] < most, `${name} after ${times[name]} s, more than ${most} s`);
  }
});
