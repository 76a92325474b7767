import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hideSecrets } from '../../../../core/base/hide-secrets.ts';

const token = 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aW5pdA.Y2lwaGVydGV4dA.dGFn';

const cases: readonly [string, string][] = [
  [
    `[    0.000000] Command line: console=ttyS0 durantic.server=https://a:1 durantic.token=${token} quiet`,
    '[    0.000000] Command line: console=ttyS0 durantic.server=https://a:1 durantic.token=(hidden) quiet',
  ],
  ['durantic.token="a b" durantic.vlan=7', 'durantic.token=(hidden) durantic.vlan=7'],
  ['durantic.token="cut off by the kern', 'durantic.token=(hidden)'],
  ['durantic.token= durantic.vlan=7', 'durantic.token= durantic.vlan=7'],
  [`GET /boot/ipxe?token=${token}&x=1`, 'GET /boot/ipxe?token=(hidden)&x=1'],
  ['proxy http://user:pa:ss@proxy.example:3128/ and more', 'proxy http://(hidden)@proxy.example:3128/ and more'],
  ['durantic.proxy=http://user@proxy:1', 'durantic.proxy=http://(hidden)@proxy:1'],
  ['https://host/path@sha256:00 mail@host', 'https://host/path@sha256:00 mail@host'],
];
for (const [text, expected] of cases) {
  test(`F27 ${JSON.stringify(text.replaceAll(token, 'TOKEN')).slice(0, 60)}`, () => {
    assert.equal(hideSecrets(text), expected);
  });
}

test('F27 a token is hidden wherever it stands', () => {
  const part = fc.stringMatching(/^[\w-]{4,40}$/);
  const around = fc.string().map((text) => text.replace(/[\w.-]/g, ' '));
  fc.assert(
    fc.property(fc.tuple(part, part, part, part), around, around, ([header, iv, text, tag], before, after) => {
      const jwe = `eyJ${header}..${iv}.${text}.${tag}`;
      assert.ok(!hideSecrets(`${before}${jwe}${after}`).includes(text));
    }),
  );
});
