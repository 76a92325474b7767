import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { RawSettings, SettingName } from '../../../../control-plane/server/raw-settings.ts';
import { readSettings } from '../../../../control-plane/server/read-settings.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';

const dir = mkdtempSync(join(tmpdir(), 'durantic-test-'));
after(() => rmSync(dir, { recursive: true }));

function flags(values: Partial<Record<SettingName, string | string[]>>): RawSettings {
  const entries = Object.entries(values) as [SettingName, string | string[]][];
  return new Map(entries.map(([name, value]) => [name, [value].flat().map((text) => ({ text, where: `--${name}` }))]));
}

function configFile(text: string): string {
  const file = join(dir, 'server.yaml');
  writeFileSync(file, text);
  return file;
}

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProvisionError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error('it was accepted');
}

test('a data directory is enough', () => {
  assert.deepEqual(readSettings(flags({ 'data-dir': '/data' }), null), {
    dataDir: '/data',
    listen: { host: '0.0.0.0', port: 8443 },
    publicUrls: [],
    httpBoot: null,
    assetsDir: null,
    tls: { kind: 'own' },
    registryCaFile: null,
    registryAddresses: new Map(),
    logLevel: 'info',
  });
});

test('every setting can stand in the file; relative paths start at its folder', () => {
  const file = configFile(
    [
      'data-dir: data',
      'listen: "[::]:443"',
      'public-url:',
      '  - https://a.example',
      '  - https://b.example:8443/',
      '  - https://a.example',
      'http-boot: 0.0.0.0:8080',
      'assets: /srv/assets',
      'tls-cert: tls/server.crt',
      'tls-key: tls/server.key',
      'tls-ca: tls/ca.crt',
      'registry-ca: registry.pem',
      'registry-at: ["Registry.example:443=10.0.0.7:5000", "[fd00::2]:5000=[::1]:5001"]',
      'plain-http: false',
      'log-level: debug',
    ].join('\n'),
  );
  assert.deepEqual(readSettings(new Map(), file), {
    dataDir: join(dir, 'data'),
    listen: { host: '::', port: 443 },
    publicUrls: ['https://a.example', 'https://b.example:8443'],
    httpBoot: { host: '0.0.0.0', port: 8080 },
    assetsDir: '/srv/assets',
    tls: {
      kind: 'given',
      certFile: join(dir, 'tls/server.crt'),
      keyFile: join(dir, 'tls/server.key'),
      caFile: join(dir, 'tls/ca.crt'),
    },
    registryCaFile: join(dir, 'registry.pem'),
    registryAddresses: new Map([
      ['registry.example:443', { host: '10.0.0.7', port: 5000 }],
      ['fd00::2:5000', { host: '::1', port: 5001 }],
    ]),
    logLevel: 'debug',
  });
});

test('flags win over the file', () => {
  const file = configFile('data-dir: /a\nlisten: 127.0.0.1:1\npublic-url: https://a.example\nlog-level: warn\n');
  const settings = readSettings(flags({ listen: '127.0.0.1:2', 'public-url': ['https://b.example'] }), file);
  assert.equal(settings.dataDir, '/a');
  assert.deepEqual(settings.listen, { host: '127.0.0.1', port: 2 });
  assert.deepEqual(settings.publicUrls, ['https://b.example']);
  assert.equal(settings.logLevel, 'warn');
});

test('an empty file says nothing', () => {
  assert.equal(readSettings(flags({ 'data-dir': '/data' }), configFile('# nothing\n')).dataDir, '/data');
});

test('plain HTTP must be asked for by name', () => {
  assert.deepEqual(readSettings(flags({ 'data-dir': '/d', 'plain-http': 'true' }), null).tls, { kind: 'none' });
  const url = { 'data-dir': '/d', 'public-url': 'http://a.example' };
  assert.match(
    refusal(() => readSettings(flags(url), null)),
    /^usage: --public-url: .*--plain-http/,
  );
  assert.deepEqual(readSettings(flags({ ...url, 'plain-http': 'true' }), null).publicUrls, ['http://a.example']);
});

const refusedFlags: [string, Partial<Record<SettingName, string>>, RegExp][] = [
  ['no data directory', {}, /^usage: --data-dir is needed/],
  ['a wrong address', { 'data-dir': '/d', listen: '8443' }, /^usage: --listen: "8443" is not an address/],
  ['a wrong boot address', { 'data-dir': '/d', 'http-boot': 'x' }, /^usage: --http-boot: "x" is not an address/],
  [
    'a registry without address',
    { 'data-dir': '/d', 'registry-at': 'r:1' },
    /^usage: --registry-at: "r:1" is not a reg/,
  ],
  [
    'a registry without port',
    { 'data-dir': '/d', 'registry-at': 'r=h:1' },
    /^usage: --registry-at: "r" is not an address/,
  ],
  ['a wrong URL', { 'data-dir': '/d', 'public-url': 'x' }, /^usage: --public-url: "x" is not a URL/],
  ['a certificate without key', { 'data-dir': '/d', 'tls-cert': '/c' }, /^usage: --tls-cert and --tls-key belong/],
  ['a CA alone', { 'data-dir': '/d', 'tls-ca': '/c' }, /^usage: --tls-cert and --tls-key belong/],
  [
    'a certificate for plain HTTP',
    { 'data-dir': '/d', 'tls-cert': '/c', 'tls-key': '/k', 'plain-http': 'true' },
    /^usage: --plain-http and --tls-cert/,
  ],
];
for (const [what, values, message] of refusedFlags) {
  test(`refused, naming the flag: ${what}`, () => {
    assert.match(
      refusal(() => readSettings(flags(values), null)),
      message,
    );
  });
}

const refusedFiles: [string, string, RegExp][] = [
  [
    'an unknown name',
    'data-dir: /d\nlisten-on: x\n',
    /server\.yaml:2: "listen-on" is not a setting; there are data-dir,/,
  ],
  ['a wrong value', 'data-dir: /d\n\nlisten: x\n', /server\.yaml:3: listen: "x" is not an address/],
  ['a number for a text', 'data-dir: 5\n', /server\.yaml:1: data-dir: a text is expected/],
  ['a list where one value belongs', 'data-dir: [/a, /b]\n', /server\.yaml:1: data-dir: a text is expected/],
  ['a map in a list', 'public-url:\n  - a: b\n', /server\.yaml:1: public-url: a text is expected/],
  ['a name twice', 'data-dir: /a\ndata-dir: /b\n', /server\.yaml:2: /],
  ['YAML that is none', 'data-dir: "/a\n', /server\.yaml:\d: /],
  ['a list instead of a map', '- data-dir\n', /server\.yaml:1: a map of settings is expected/],
];
for (const [what, text, message] of refusedFiles) {
  test(`refused, naming file and line: ${what}`, () => {
    const found = refusal(() => readSettings(new Map(), configFile(text)));
    assert.match(found, /^document_invalid: /);
    assert.match(found, message);
  });
}

test('a configuration file that is not there is an error', () => {
  assert.match(
    refusal(() => readSettings(new Map(), join(dir, 'none.yaml'))),
    /^document_invalid: .*none\.yaml cannot be read/,
  );
});
