import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { serverCommand } from '../../../cli/server.ts';

function withPath(command: Command, path: readonly string[]): { readonly path: string; readonly command: Command }[] {
  const own = [...path, command.name()];
  const children = command.commands.flatMap((child) => withPath(child, own));
  return [{ path: own.join(' '), command }, ...children];
}

const group = await serverCommand(['server']);
const all = withPath(group, []);
const leaves = all.filter(({ command }) => command.commands.length === 0);

test('no option or argument takes a secret: every user of the machine can read argv', () => {
  // A file that holds a secret is fine; the name says that it is one.
  const secret = /(password|secret|token|passphrase|private-key|value)$/;
  const breaches = all.flatMap(({ path, command }) => [
    ...command.options
      .filter((option) => (option.required || option.optional) && secret.test(option.name()))
      .map((option) => `${path} ${option.flags}`),
    ...command.registeredArguments
      .filter((argument) => secret.test(argument.name()))
      .map((argument) => `${path} <${argument.name()}>`),
  ]);
  assert.deepEqual(breaches, []);
  assert.ok(leaves.length > 35, 'the walk has seen the commands');
});

test('every command says what it does and what its options mean, and can answer in JSON', () => {
  const own = new Set(['server run', 'server backup', 'server restore']);
  for (const { path, command } of leaves) {
    assert.notEqual(command.description(), '', path);
    if (own.has(path)) continue;
    assert.ok(
      command.options.some((option) => option.name() === 'json'),
      `${path} has no --json`,
    );
  }
});

test('a command of the group is loaded by its own name alone', async () => {
  for (const child of group.commands) {
    const loaded = await serverCommand(['server', child.name()]);
    assert.deepEqual(
      loaded.commands.map((command) => command.name()),
      [child.name()],
    );
  }
});
