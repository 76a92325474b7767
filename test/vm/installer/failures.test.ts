import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServerProcess } from '../../builders/server-process.ts';
import { Resources } from '../../resources.ts';
import { GuestConsoles, screenHook } from '../guest-consoles.ts';
import { GuestLan } from '../guest-lan.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { lanHost, startInstallerServer } from '../installer-server.ts';
import { stepsOf } from '../steps-of.ts';

/** A machine that is as slow as those of a CI has to get by with this. */
const patience = { timeoutMs: 120_000 };

test('on the way to the server: each obstacle is named on both consoles, and the machine goes on when it is gone', async (context) => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const { port, dataDir } = server.process;
  const keyFile = join(dataDir, 'jwe.key');
  const keys = readFileSync(keyFile);
  const lan = await GuestLan.create(resources);
  const cable = await lan.addCable();
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', host: lanHost, netns: lan.netns, isPaused: true },
    network: cable.card,
    overlay: { hook: screenHook },
  });
  const consoles = new GuestConsoles(resources, guest.vm);
  const step = stepsOf(context);

  await step('unplugged cable: "no cable", and to plug one in', async () => {
    await guest.vm.setLink(false);
    await guest.vm.resume();
    await consoles.both([/no cable, or the switch port is off/, /What to do: Plug in a cable/], patience);
  });
  await step('no DHCP: "no answer from a DHCP server", and where to look', async () => {
    await guest.vm.setLink(true);
    const silence = /no answer from a DHCP server or an IPv6 router for \d+ s/;
    await consoles.both([silence, /What to do: Check that a DHCP server answers on this network/], patience);
  });
  const first = await lan.startDhcp(cable, { hasRouter: false });
  await step('DHCP without route: "has … but no route to the server"', async () => {
    const noRoute = new RegExp(`has ${cable.subnet}\\.\\d+ but no route to the server ${lanHost}:${port}`);
    await consoles.both([noRoute, /PROBLEM.{1,3}server_unreachable/, /Let DHCP \(or ip=\) name a router/], patience);
    await consoles.gone([/Plug in a cable/, /no answer from/], patience);
  });
  await step(
    'server down: "refuses the connection", once DHCP names a router, though the lease is good for an hour',
    async () => {
      first.stop();
      await lan.startDhcp(cable);
      await server.process.kill();
      await consoles.both([/refuses the connection: nothing listens/, /Start the durantic server/], patience);
    },
  );
  await step('wrong pin: "another key than the pin says"', async () => {
    const other = await startServerProcess(resources, { port });
    const relay = await lan.relay(port);
    const wrong = [
      /PROBLEM.{1,3}server_pin_mismatch/,
      /has another key than the pin says/,
      /Compare the pin with the one/,
    ];
    await consoles.both(wrong, patience);
    await other.kill();
    relay.stop();
  });
  await step('wrong token: "does not accept the token", and an approval code', async () => {
    const foreign = await startServerProcess(resources);
    await foreign.kill();
    writeFileSync(keyFile, readFileSync(join(foreign.dataDir, 'jwe.key')));
    await server.process.start();
    await lan.join(server);
    const refused = [/PROBLEM.{1,3}token_refused/, /does not accept the token/, /Approve the machine by the code/];
    await consoles.both([...refused, /durantic server approve [A-Z0-9]{3}-[A-Z0-9]{3}/], patience);
    assert.equal((await guest.machines()).length, 0);
  });
  await step('the machine enrols by itself when the server knows the token again', async () => {
    writeFileSync(keyFile, keys);
    await guest.waitForMachine(() => true, patience);
    await consoles.gone([/PROBLEM/, /durantic server approve/], patience);
  });
  await step('server down again: the enrolled machine says so, and is there again when the server is', async () => {
    consoles.forget();
    await server.process.kill();
    await consoles.both([/PROBLEM.{1,3}(server_unreachable|link_lost)/, /What to do: /], patience);
    await server.process.start();
    const upMs = Date.now();
    await guest.waitForMachine(({ last_seen_at }) => Date.parse(last_seen_at ?? '') > upMs, patience);
    await consoles.gone([/PROBLEM/], patience);
    assert.equal((await guest.machines()).length, 1);
  });
});
