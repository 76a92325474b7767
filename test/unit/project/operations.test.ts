import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { enrollCommand } from '../../../cli/enroll.ts';
import { inspectCommand } from '../../../cli/inspect.ts';
import { serverCommand } from '../../../cli/server.ts';
import { wipeCommand } from '../../../cli/wipe.ts';
import { errorCodes } from '../../../core/base/error-codes.ts';
import { runStatuses } from '../../../protocol/api/provisions.ts';
import { commandKinds } from '../../../protocol/commands.ts';
import { repoDir } from './source-files.ts';

const text = readFileSync(join(repoDir, 'docs/operations.md'), 'utf8');
const server = await serverCommand(['server']);
const roots = new Map<string, Command>(
  [server, enrollCommand(), inspectCommand(), wipeCommand()].map((command) => [command.name(), command]),
);

/** Lines that a reader would type: in backticks, or in a block. */
function commandLines(): string[] {
  const spans = [...text.matchAll(/`(durantic [^`]+)`/g)].map((match) => match[1] ?? '');
  const blocks = [...text.matchAll(/^(durantic .+)$/gm)].map((match) => match[1] ?? '');
  return [...spans, ...blocks];
}

/** What is wrong with a line, or null: words that are no command, flags that it does not have. */
function problemOf(line: string): string | null {
  const [, ...words] = line
    .replaceAll(/[[\]…]/g, '')
    .split(/\s+/)
    .filter(Boolean);
  let command = roots.get(words[0] ?? '');
  if (command === undefined) return 'no such command';
  let rest = words.slice(1);
  for (;;) {
    const child: Command | undefined = command.commands.find((each) => each.name() === rest[0]);
    if (child === undefined) break;
    command = child;
    rest = rest.slice(1);
  }
  const [first] = rest;
  if (command.commands.length > 0 && first !== undefined && !first.startsWith('-'))
    return `${first} is no command of it`;
  const flags = command.options.map(({ long }) => long);
  const unknown = rest.filter((word) => word.startsWith('--') && !flags.includes(word));
  return unknown.length === 0 ? null : `it has no ${unknown.join(', ')}`;
}

test('every command in docs/operations.md exists, with its flags', () => {
  const lines = commandLines();
  assert.ok(lines.length > 40, `${lines.length} lines`);
  const problems = lines.map((line) => ({ line, problem: problemOf(line) })).filter(({ problem }) => problem !== null);
  assert.deepEqual(problems, []);
  assert.equal(problemOf('durantic server mark MACHINE'), 'mark is no command of it');
  assert.equal(problemOf('durantic server cancel MACHINE --force'), 'it has no --force');
});

test('docs/operations.md has every error code, status and command: an operator finds what is on the screen', () => {
  const runCodes = [
    ...['booted_another_system', 'cloud_init_errors', 'cloud_init_unfinished', 'command_rejected', 'command_failed'],
    ...['too_many_attempts', 'render_failed', 'timeout', 'aborted', 'unknown'],
  ];
  const wanted = [...Object.keys(errorCodes), ...runCodes, ...runStatuses, ...commandKinds];
  const missing = [...new Set(wanted)].filter((word) => !text.includes(`\`${word}\``));
  assert.deepEqual(missing, []);
});
