import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseListenAddress,
  parseLogLevel,
  parsePublicUrl,
  parseSwitch,
  SettingProblem,
} from '../../../../control-plane/server/setting-values.ts';

test('listening addresses: IPv4, IPv6 in brackets, host names, port 0', () => {
  assert.deepEqual(parseListenAddress('0.0.0.0:8443'), { host: '0.0.0.0', port: 8443 });
  assert.deepEqual(parseListenAddress('[::]:443'), { host: '::', port: 443 });
  assert.deepEqual(parseListenAddress('localhost:0'), { host: 'localhost', port: 0 });
});

for (const text of [
  '',
  '8443',
  ':8443',
  '::1:8443',
  '[::1]',
  '[127.0.0.1]:1',
  '127.0.0.1:65536',
  '127.0.0.1:x',
  'a:b:1',
]) {
  test(`"${text}" is no listening address`, () => {
    assert.throws(() => parseListenAddress(text), SettingProblem);
  });
}

test('a public URL is reduced to its origin', () => {
  assert.equal(parsePublicUrl('https://Durantic.Example.com:8443/'), 'https://durantic.example.com:8443');
  assert.equal(parsePublicUrl('https://durantic.example.com:443'), 'https://durantic.example.com');
  assert.equal(parsePublicUrl('https://[FD00::1]:8443'), 'https://[fd00::1]:8443');
});

for (const text of [
  'durantic.example.com',
  'ftp://durantic.example.com',
  'https://durantic.example.com/api',
  'https://durantic.example.com/?a=b',
  'https://durantic.example.com/#a',
  'https://user@durantic.example.com',
  'https://0.0.0.0:8443',
  'https://[::]:8443',
]) {
  test(`"${text}" is no public URL`, () => {
    assert.throws(() => parsePublicUrl(text), SettingProblem);
  });
}

test('levels and switches know their words only', () => {
  assert.equal(parseLogLevel('warn'), 'warn');
  assert.throws(() => parseLogLevel('trace'), SettingProblem);
  assert.equal(parseSwitch('true'), true);
  assert.equal(parseSwitch('false'), false);
  assert.throws(() => parseSwitch('yes'), SettingProblem);
});
