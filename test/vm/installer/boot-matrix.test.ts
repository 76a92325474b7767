import { after, before, test } from 'node:test';
import { Resources } from '../../resources.ts';
import { bootMedium, staysOneMachine } from '../boot-media.ts';
import { type InstallerServer, startInstallerServer } from '../installer-server.ts';

const shared = new Resources();
let server: InstallerServer;

before(async () => {
  server = await startInstallerServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

// Under UEFI, S1 boots the ISO and S9 iPXE; the others are in test/vm-long/boot-media.test.ts.
test('iso under seabios, by approval: the server has this very machine, and the medium is no target', async () => {
  await bootMedium(server, { medium: 'iso', firmware: 'seabios', way: 'approval' });
});

test('ipxe under seabios, by token: the server has this very machine', async () => {
  await bootMedium(server, { medium: 'ipxe', firmware: 'seabios', way: 'token' });
});

test('direct under seabios: a machine that loses its power in discovery is still one machine', async () => {
  await staysOneMachine(server, 2);
});
