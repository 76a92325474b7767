import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertRefused, operateServer } from '../../builders/operated-server.ts';
import { Resources } from '../../resources.ts';

const template = '#cloud-config\nhostname: {{ machine.hostname }}\nkey: {{ secrets.KEY }}\n';

test('a role is applied from a file and changed from stdin, shown, previewed and removed', async () => {
  await using resources = new Resources();
  const { cli, ok, json, machine } = await operateServer(resources);
  const file = join(resources.tempDir(), 'base.yaml');
  await writeFile(file, template);
  await ok(['images', 'add', 'linux', 'registry.test/linux:1']);
  await ok(['secrets', 'set', 'KEY'], 'never seen');
  assert.equal(
    await ok(['roles', 'apply', file, '--name', 'base', '--priority', '10', '--image', 'linux', '--requires-mesh']),
    'The role base is made.\n',
  );
  assert.match(await ok(['roles']), /^base {2}10 +linux +required/m);
  assert.equal(await ok(['roles', 'show', 'base']), template);
  await ok(['mesh-networks', 'add', 'rack', '10.42.0.0/24']);
  machine('node-1');
  await ok(['machines', 'set', 'node-1', '--role', 'base', '--mesh', 'rack']);
  const drafted = await ok(['roles', 'preview', 'node-1', '--draft', '-', '--name', 'base'], template);
  assert.match(drafted, /hostname: node-1/);
  const shown = await ok(['roles', 'preview', 'node-1', '--role', 'base']);
  assert.match(shown, /<secret KEY>/);
  assert.ok(!shown.includes('never seen'));
  assert.equal(
    await ok(['roles', 'apply', '-', '--name', 'base'], '#cloud-config\nx: {{ nope }}\n'),
    'The role base is changed.\n',
  );
  const kept = (await json<Record<string, unknown>[]>(['roles']))[0];
  assert.deepEqual([kept?.['merge_priority'], kept?.['requires_mesh']], [10, true], 'what is not given stays');
  assertRefused(await cli(['roles', 'preview', 'node-1']), 2, /role base, line 2: .*nope.*\[document_invalid\]/);
  assertRefused(await cli(['roles', 'preview', 'node-1', '--draft', '-']), 2, /--draft needs --name/);
  assertRefused(await cli(['roles', 'apply', '/nowhere', '--name', 'x']), 2, /\/nowhere cannot be read/);
  assert.match(await ok(['roles', 'remove', 'base']), /removed, also from machines that had it/);
  assertRefused(await cli(['roles', 'show', 'base']), 2, /there is no role "base"/);
});
