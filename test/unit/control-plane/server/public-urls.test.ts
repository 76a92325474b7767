import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostOfUrl, publicUrlsOf } from '../../../../control-plane/server/public-urls.ts';

const host = { hostName: 'Rack1.example.com', addresses: ['127.0.0.1', '::1', '192.0.2.7', '2001:db8::7'] };

test('given URLs are used as they are', () => {
  const given = ['https://a.example', 'https://b.example:8443'];
  const urls = publicUrlsOf({ given, listen: { host: '0.0.0.0', port: 8443 }, scheme: 'https', ...host });
  assert.deepEqual(urls, given);
});

test('all IPv4 addresses: each of the host, its name, loopback last', () => {
  const urls = publicUrlsOf({ given: [], listen: { host: '0.0.0.0', port: 8443 }, scheme: 'https', ...host });
  assert.deepEqual(urls, ['https://192.0.2.7:8443', 'https://rack1.example.com:8443', 'https://127.0.0.1:8443']);
});

test('all IPv6 addresses take IPv4 with them', () => {
  const urls = publicUrlsOf({ given: [], listen: { host: '::', port: 443 }, scheme: 'https', ...host });
  assert.deepEqual(urls, [
    'https://192.0.2.7',
    'https://[2001:db8::7]',
    'https://rack1.example.com',
    'https://127.0.0.1',
    'https://[::1]',
  ]);
});

test('one address is the only one', () => {
  const urls = publicUrlsOf({ given: [], listen: { host: '192.0.2.7', port: 80 }, scheme: 'http', ...host });
  assert.deepEqual(urls, ['http://192.0.2.7']);
});

for (const hostName of ['under_score', '-a', '1.2', 'a..b', '', 'ä', `${'a'.repeat(64)}.example`]) {
  test(`a host name that no certificate carries is left out: "${hostName}"`, () => {
    const listen = { host: '0.0.0.0', port: 8443 };
    const urls = publicUrlsOf({ given: [], listen, scheme: 'https', hostName, addresses: ['192.0.2.7'] });
    assert.deepEqual(urls, ['https://192.0.2.7:8443']);
  });
}

test('the addresses of this host have no zones and no link-local ones', () => {
  const urls = publicUrlsOf({ given: [], listen: { host: '::', port: 8443 }, scheme: 'https' });
  assert.ok(urls.includes('https://127.0.0.1:8443'), urls.join());
  assert.ok(!urls.some((url) => url.includes('%') || /\[fe[89ab]/.test(url)), urls.join());
});

test('the host of a URL as a certificate names it', () => {
  assert.equal(hostOfUrl('https://[2001:db8::7]:8443'), '2001:db8::7');
  assert.equal(hostOfUrl('https://a.example'), 'a.example');
});
