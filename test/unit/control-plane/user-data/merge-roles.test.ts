import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RenderError, type RenderedUserData } from '../../../../control-plane/services.ts';
import { mergeRoles } from '../../../../control-plane/user-data/merge-roles.ts';

function merged(...texts: readonly string[]): RenderedUserData {
  return mergeRoles(texts.map((text, index) => ({ name: `role-${index + 1}`, text })));
}

function faultOf(...texts: readonly string[]): RenderError {
  try {
    merged(...texts);
  } catch (error) {
    if (error instanceof RenderError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: `${texts.join('---')} could be merged` });
}

test('roles without a template, with comments or an empty map give nothing', () => {
  for (const texts of [[], [''], ['\n \n'], ['#cloud-config\n'], ['#cloud-config\n# nothing\n', ''], ['{}']]) {
    assert.deepEqual(merged(...texts), { userData: null, parts: [] });
  }
});

test('the only cloud-config stays as it was written', () => {
  const text = '#cloud-config\n# why\nusers:\n  - default\n  - {name: a, sudo: "ALL"}\n';
  assert.equal(merged(`\n\n${text}`, '').userData, text);
  assert.equal(merged('packages:\n- a').userData, '#cloud-config\npackages:\n- a\n');
  assert.equal(merged('  a: 1\n  b: 2\n').userData, '#cloud-config\n  a: 1\n  b: 2\n');
});

test('maps are merged deeply, lists appended without exact repeats, scalars taken from the higher role', () => {
  const low = `#cloud-config
package_update: no
timezone: UTC
growpart: {mode: auto, devices: ["/"]}
packages: [curl, curl, vim]
write_files:
  - path: /etc/a
    permissions: '0600'
    content: |
      one
        two
runcmd:
  - [echo, low]
  - echo x
`;
  const high = `#cloud-config
timezone: "Europe/Berlin"
package_update: yes
growpart:
  ignore_growroot_disabled: false
  devices: [/, /home]
packages: ["curl", nginx]
write_files:
  - {path: /etc/a, permissions: "0600", content: "one\\n  two\\n"}
  - {path: /etc/b, content: "x"}
runcmd:
  - echo x
  - echo high
hostname: h
`;
  assert.equal(
    merged(low, high).userData,
    `#cloud-config
package_update: yes
timezone: Europe/Berlin
growpart:
  mode: auto
  devices:
    - /
    - /home
  ignore_growroot_disabled: false
packages:
  - curl
  - curl
  - vim
  - nginx
write_files:
  - path: /etc/a
    permissions: "0600"
    content: |
      one
        two
  - path: /etc/b
    content: x
runcmd:
  - - echo
    - low
  - echo x
  - echo high
hostname: h
`,
  );
});

test('a key without a value changes nothing and is filled by the higher role', () => {
  assert.equal(
    merged('packages:\nruncmd: [a]', 'packages: [b]\nruncmd:\n').userData,
    '#cloud-config\npackages:\n  - b\nruncmd:\n  - a\n',
  );
});

test('a map against a list or a scalar names both roles and the key', () => {
  const list = '#cloud-config\nsystem_info: {default_user: {groups: [a]}}\n';
  const map = '#cloud-config\nsystem_info: {default_user: {groups: {b: 1}}}\n';
  const fault = faultOf('#cloud-config\na: 1\n', list, map);
  assert.equal(fault.roleName, 'role-3');
  assert.equal(
    fault.message,
    'role role-3: system_info.default_user.groups is a map here but a list in the role role-2',
  );
  assert.match(
    faultOf('users: [a]', 'users: b').message,
    /^role role-2: users is a single value here but a list in the role role-1$/,
  );
  assert.match(faultOf('users: {}', 'users: [b]').message, /users is a list here but a map in the role role-1$/);
});

test('anchors, aliases and merge keys are written out, own entries first', () => {
  const text = 'a: &x {k: 1, l: [2]}\nb: *x\nc:\n  <<: *x\n  k: 3\nd: {<<: [{m: 1}, {m: 2, o: 3}]}\n';
  assert.equal(
    merged(text, 'z: 1').userData,
    '#cloud-config\na:\n  k: 1\n  l:\n    - 2\nb:\n  k: 1\n  l:\n    - 2\nc:\n  k: 3\n  l:\n    - 2\nd:\n  m: 1\n  o: 3\nz: 1\n',
  );
});

test('invalid YAML names the role and the line of the rendered text', () => {
  const faults: Readonly<Record<string, RegExp>> = {
    'a: 1\nb: [1\n': /^role role-1: the rendered cloud-config is not valid YAML in line 3 of the rendered text: /,
    '\n\n#cloud-config\na: 1\na: 2\n': /in line 5 of the rendered text: Map keys must be unique$/,
    'a: 1\n---\nb: 2\n': /more than one document/,
    'a: *nope\n': /line 1 of the rendered text: an alias names an anchor that does not exist$/,
    'a: !!python/object:os.system x\n': /in line 1 of the rendered text: an unknown tag; possible are !!binary, /,
    'a: !secret-tag {}\n': /a list or map cannot have a tag$/,
    'a: !secret-tag x\n': /an unknown tag/,
    'a: @secret\n': /reserved character @$/,
    'a: 1\n? [x]\n: 2\n': /in line 2 of the rendered text: a key must be a text or a number$/,
    '- a\n': /^role role-1: the rendered cloud-config is a list, not a map$/,
    'just words\n': /^role role-1: the rendered cloud-config is a text, not a map$/,
  };
  for (const [text, message] of Object.entries(faults)) {
    const fault = faultOf(text);
    assert.match(fault.message, message, text);
    assert.equal(fault.roleName, 'role-1');
  }
});

test('aliases that would grow without bound are refused', () => {
  const lines = Array.from({ length: 12 }, (_, level) => {
    const above = level === 0 ? '"x"' : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array.from({ length: 9 }, () => above).join(',')}]`;
  });
  assert.match(faultOf(lines.join('\n')).message, /more than 100000 nodes/);
});

test('scripts and other kinds become parts of a MIME multipart behind the cloud-config, always the same', () => {
  const texts = [
    '#!/bin/sh\necho 1\n',
    'a: 1',
    '#include\nhttps://x.test/\n',
    '#cloud-config\nb: 2\n',
    '\n#cloud-boothook\n#!/bin/sh\n',
  ];
  const { userData, parts } = merged(...texts);
  assert.deepEqual(
    parts.map(({ contentType, fileName }) => [contentType, fileName]),
    [
      ['text/cloud-config', 'cloud-config.yaml'],
      ['text/x-shellscript', '001-role-1.sh'],
      ['text/x-include-url', '002-role-3.txt'],
      ['text/cloud-boothook', '003-role-5.sh'],
    ],
  );
  assert.equal(parts[0]?.text, '#cloud-config\na: 1\nb: 2\n');
  assert.equal(merged(...texts).userData, userData);
  assert.match(userData ?? '', /^Content-Type: multipart\/mixed; boundary="==durantic-[0-9a-f]{40}=="\n/);
  assert.notEqual(merged(...texts, '#!/bin/sh\n').userData?.slice(0, 100), userData?.slice(0, 100));
});

test('one part that is no cloud-config is the user data by itself', () => {
  assert.equal(merged('', '\n#!/bin/sh\necho\n').userData, '#!/bin/sh\necho\n');
});

test('a role cannot bring MIME of its own, and all together must fit a command', () => {
  assert.match(faultOf('Content-Type: multipart/mixed; boundary="x"\n\n').message, /cannot render MIME/);
  const big = `#!/bin/sh\n${'#'.repeat(300 * 1024)}`;
  const fault = faultOf('#!/bin/sh\n', big, `${big}#`);
  assert.equal(fault.roleName, 'role-3');
  assert.match(fault.message, /too many for a machine/);
  assert.match(faultOf(`#!/bin/sh\n${'\n'.repeat(450 * 1024)}`).message, /too many for a machine/);
});
