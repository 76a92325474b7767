import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { spcrTable } from '../builders/spcr-table.ts';
import { Resources } from '../resources.ts';
import { GuestConsoles, screenHook } from '../vm/guest-consoles.ts';
import { InstallerGuest, type InstallerGuestOptions } from '../vm/installer-guest.ts';
import { type InstallerServer, startInstallerServer } from '../vm/installer-server.ts';

const patience = { timeoutMs: 120_000 };

/** What every console has to say of a machine that waits for work. */
function factsOf(guest: InstallerGuest, server: InstallerServer, machineUuid: string): RegExp[] {
  const { serial } = guest.identity;
  return [serial, server.url(), 'eth0', '10.0.2.15', machineUuid, 'connected'].map((text) => new RegExp(text));
}

/** COM2 is the firmware's console, as its SPCR table says. */
function withSpcr(resources: Resources): Pick<InstallerGuestOptions, 'extraArgs'> {
  const file = join(resources.tempDir(), 'spcr.aml');
  writeFileSync(file, spcrTable({ address: 0x2f8n }));
  return { extraArgs: ['-acpitable', `file=${file}`] };
}

async function start(resources: Resources, options: Partial<InstallerGuestOptions>) {
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', overlay: { hook: screenHook }, ...options },
  });
  const { uuid } = await guest.waitForMachine(({ hardware }) => hardware !== null, patience);
  return { server, guest, facts: factsOf(guest, server, uuid) };
}

/** Waits until a console has said all of it. */
async function untilSaid(
  guest: InstallerGuest,
  name: string,
  text: () => string,
  facts: readonly RegExp[],
): Promise<void> {
  const missing = (): RegExp[] => facts.filter((fact) => !fact.test(text()));
  try {
    await guest.vm.waitUntil(`all facts on ${name}`, () => missing().length === 0, patience);
  } catch (cause) {
    throw new Error(`${name} does not say ${missing().join(', ')}, but:\n${text()}`, { cause });
  }
}

/** The installer's own lines, which bear a time as the kernel's do, begin with its name. */
const installerLine = /durantic installer \d/;

test('F25 no display: all facts are on the only serial line', async () => {
  await using resources = new Resources();
  const { guest, facts } = await start(resources, { display: 'absent' });
  await untilSaid(guest, 'ttyS0', () => guest.vm.console, facts);
});

test('F25 no display, no ttyS0, a serial line at ttyS1 that only the SPCR table names: all facts are on it', async () => {
  await using resources = new Resources();
  const ports = { serialPorts: ['none', 'second'] } as const;
  const { guest, facts } = await start(resources, { display: 'absent', ...ports, ...withSpcr(resources) });
  await untilSaid(guest, 'ttyS1', () => guest.vm.secondConsole, facts);
});

test('F25 display, ttyS0 and a serial line at ttyS1 that the SPCR table names: the same facts on all three', async () => {
  await using resources = new Resources();
  const { guest, facts } = await start(resources, { serialPorts: ['console', 'second'], ...withSpcr(resources) });
  const consoles = new GuestConsoles(resources, guest.vm);
  await untilSaid(guest, 'ttyS1', () => guest.vm.secondConsole, facts);
  await consoles.both(facts, patience);
});

test('F25 durantic.console=serial: all facts on the serial line, no screens', async () => {
  await using resources = new Resources();
  const { guest, facts } = await start(resources, { append: 'durantic.console=serial' });
  const consoles = new GuestConsoles(resources, guest.vm);
  await untilSaid(guest, 'ttyS0', () => guest.vm.console, facts);
  assert.doesNotMatch(consoles.screen, installerLine);
  assert.notEqual(consoles.screen, '');
});

test('F25 durantic.console=tty: all facts on the screen, no lines of the installer on the serial line', async () => {
  await using resources = new Resources();
  const { guest, facts } = await start(resources, { append: 'durantic.console=tty' });
  const consoles = new GuestConsoles(resources, guest.vm);
  await untilSaid(guest, 'the screen', () => consoles.screen, facts);
  assert.doesNotMatch(guest.vm.console, installerLine);
});

test('F25 durantic.console=tty without a display: the lines are on the serial line all the same, and say why', async () => {
  await using resources = new Resources();
  const { guest, facts } = await start(resources, { display: 'absent', append: 'durantic.console=tty' });
  const said = () => guest.vm.console;
  await untilSaid(guest, 'ttyS0', said, [...facts, /durantic\.console=tty was given, but there is no display/]);
});
