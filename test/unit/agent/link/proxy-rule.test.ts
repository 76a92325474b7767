import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyFor } from '../../../../agent/link/proxy-rule.ts';

const rows: readonly (readonly [string, string | readonly string[], boolean])[] = [
  ['https://durantic.example:8443', '', true],
  ['https://durantic.example:8443', '*', false],
  ['https://durantic.example:8443', 'durantic.example', false],
  ['https://a.durantic.example', 'durantic.example', false],
  ['https://notdurantic.example', 'durantic.example', true],
  ['https://durantic.example', '.durantic.example', true],
  ['https://a.durantic.example', '.durantic.example', false],
  ['https://a.durantic.example', '*.durantic.example', false],
  ['https://Durantic.Example', 'other, DURANTIC.example', false],
  ['https://durantic.example:8443', 'durantic.example:8443', false],
  ['https://durantic.example', 'durantic.example:8443', true],
  ['https://durantic.example', 'durantic.example:443', false],
  ['https://10.1.2.3', '10.0.0.0/8', false],
  ['https://11.1.2.3', '10.0.0.0/8', true],
  ['https://10.1.2.3', '10.0.0.0/99', true],
  ['https://10.1.2.3', ['localhost', '10.1.2.3'], false],
  ['https://110.1.2.3', '10.1.2.3', true],
  ['https://[fd00::1]:8443', 'fd00::/8', false],
  ['https://[fd00::1]:8443', '[fd00::1]:8443', false],
  ['https://[fd00::1]', 'fd00::1', false],
  ['https://[fd00::1]', '10.0.0.0/8', true],
];
for (const [server, noProxy, takesProxy] of rows) {
  test(`${server} with no_proxy ${JSON.stringify(noProxy)} takes ${takesProxy ? 'the proxy' : 'none'}`, () => {
    const proxy = proxyFor(new URL(server), { proxy: 'http://proxy.example:3128', no_proxy: noProxy });
    assert.equal(proxy?.host, takesProxy ? 'proxy.example:3128' : undefined);
  });
}

test('without a proxy there is none', () => {
  assert.equal(proxyFor(new URL('https://x'), { no_proxy: '' }), null);
});
