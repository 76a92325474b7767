import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertCloudDocuments, type CloudDocuments } from '../../../../agent/rootfs/parse-cloud-documents.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';

const none: CloudDocuments = { userData: null, metaData: null, vendorData: null, networkConfig: null };

function problemOf(documents: Partial<CloudDocuments>): string | null {
  try {
    assertCloudDocuments({ ...none, ...documents });
    return null;
  } catch (error) {
    assert.ok(error instanceof ProvisionError);
    assert.equal(error.code, 'document_invalid');
    return error.message;
  }
}

const goodUserData = [
  '#cloud-config\nusers: []\n',
  '#cloud-config\n',
  '\n\n#cloud-config\r\nhostname: x\r\n',
  '#Cloud-Config\nx: 1',
  '#!/bin/sh\necho hello: [',
  '#include\nhttp://x\n',
  '#cloud-boothook\n',
  '#cloud-config-archive\n- type: x\n',
  '## template: jinja\n#cloud-config\n{% if x %}',
  'Content-Type: multipart/mixed; boundary="x"\nMIME-Version: 1.0\n',
  'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="x"\n',
  '#cloud-config\na: 1\na: 2\n',
  '',
];
for (const text of goodUserData) {
  test(`takes user-data ${JSON.stringify(text.slice(0, 40))}`, () => assert.equal(problemOf({ userData: text }), null));
}

const bad: readonly (readonly [string, Partial<CloudDocuments>, RegExp])[] = [
  ['user-data without a header', { userData: '\nhostname: x\n' }, /^user-data, line 2: .*#cloud-config/],
  ['user-data with broken YAML', { userData: '#cloud-config\na: 1\nb: [1, 2\nc: 3\n' }, /^user-data, line [345]: /],
  ['user-data that is a list', { userData: '#cloud-config\n- a\n' }, /^user-data, line 2: .*a list/],
  ['a tab', { userData: '#cloud-config\na:\n\tb: 1\n' }, /^user-data, line 3: /],
  ['vendor-data that is a value', { vendorData: '#cloud-config\nhello\n' }, /^vendor-data, line 2: .*a value/],
  ['meta-data that is a list', { metaData: '- a\n' }, /^meta-data, line 1: /],
  [
    'network-config without version',
    { networkConfig: 'ethernets: {}\n' },
    /^network-config, line 1: version is missing/,
  ],
  ['network-config version 3', { networkConfig: '# x\nnetwork:\n  version: 3\n' }, /line 3: version 3 is unknown/],
  ['network-config version 1 without config', { networkConfig: 'version: 1\n' }, /list named config/],
  [
    'network-config with a list of ethernets',
    { networkConfig: 'version: 2\nethernets:\n  - eth0\n' },
    /line 3: ethernets/,
  ],
  ['network-config that is empty', { networkConfig: '# nothing\n' }, /is empty/],
  ['names', { userData: 'x', names: { userData: 'my.yaml' } }, /^my\.yaml, line 1/],
];
for (const [name, documents, expected] of bad) {
  test(`refuses ${name}, naming file and line`, () => assert.match(problemOf(documents) ?? 'taken', expected));
}

test('takes meta-data and both versions of network-config', () => {
  assert.equal(problemOf({ metaData: 'local-hostname: x\n' }), null);
  assert.equal(problemOf({ metaData: '' }), null);
  assert.equal(problemOf({ networkConfig: 'version: 1\nconfig:\n- type: physical\n  name: eth0\n' }), null);
  assert.equal(problemOf({ networkConfig: 'network:\n  version: 2\n  ethernets: {eth0: {dhcp4: true}}\n' }), null);
});
