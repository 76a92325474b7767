import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveByLink } from '../../../../installer/network/resolve-by-link.ts';

async function problemWith(nameservers: readonly string[]): Promise<string> {
  const route = {
    ...{ name: 'eth0', localAddress4: null, localAddress6: '2001:db8::7', nameservers },
    ...{ searchDomains: [], gateways: [] },
  };
  const { signal } = new AbortController();
  return await resolveByLink('server.test', route, signal).then(
    () => 'it was translated',
    (error: unknown) => String(error),
  );
}

test('a link with link-local name servers only says so, and what to give; one without any says that', async () => {
  const problem = await problemWith(['fe80::1%eth0', 'fe80::2%eth0']);
  assert.match(problem, /server\.test cannot be translated.*only fe80::1%eth0, fe80::2%eth0.*link-local.*nameserver=/);
  assert.match(await problemWith([]), /no name server is known that could translate the name server\.test/);
});
