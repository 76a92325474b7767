import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompactEncrypt } from 'jose';
import { issuingKey, readBootstrapKeys } from '../../control-plane/enrolment/bootstrap-keys.ts';
import { Resources } from '../resources.ts';
import { GuestConsoles, screenHook } from '../vm/guest-consoles.ts';
import { InstallerGuest } from '../vm/installer-guest.ts';
import { type InstallerServer, startInstallerServer } from '../vm/installer-server.ts';

const patience = { timeoutMs: 120_000 };

test('expired token: "the token has expired", and an operator lets the machine in by its code', async () => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, medium: 'direct', firmware: 'seabios', token: await expiredToken(server) },
    overlay: { hook: screenHook },
  });
  const consoles = new GuestConsoles(resources, guest.vm);
  const expired = [/PROBLEM.{1,3}token_expired/, /the token has expired/, /Approve the machine by the code/];
  const screen = await consoles.both([...expired, /durantic server approve [A-Z0-9]{3}-[A-Z0-9]{3}/], patience);
  const [, code = ''] = /durantic server approve (\S+)/.exec(screen) ?? [];
  assert.equal((await server.approve(code)).facts.system_uuid, guest.identity.smbiosUuid);
  await guest.waitForMachine(() => true, patience);
  await consoles.gone([/PROBLEM/, /durantic server approve/], patience);
});

/** A token as the server made them eleven minutes ago, for ten minutes. */
async function expiredToken(server: InstallerServer): Promise<string> {
  const { kid, key } = issuingKey(readBootstrapKeys(server.process.dataDir));
  const { uuid: account } = (await server.api('GET', 'controlplane/account')) as { uuid: string };
  const iat = Date.now() / 1000 - 11 * 60;
  const claims = { iss: 'durantic', aud: 'durantic/enroll', account, iat, exp: iat + 600, jti: 'old', name: 'test' };
  return await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
    .encrypt(key);
}
