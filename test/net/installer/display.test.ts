import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { repoDir } from '../../../scripts/build/paths.ts';
import { PseudoTerminal } from '../../builders/pseudo-terminal.ts';
import { Resources, waitFor } from '../../resources.ts';

interface Played {
  readonly terminal: PseudoTerminal;
  readonly answers: () => readonly string[];
  /** What stands for the console. */
  readonly device: string;
}

/**
 * The installer's display on a real terminal, which it takes for the console of that name.
 * @param consoles /proc/consoles: what the kernel prints on.
 */
function play(resources: Resources, console: 'tty1' | 'ttyS0', scene: string, consoles?: string): Played {
  const dir = resources.tempDir();
  if (consoles !== undefined) {
    mkdirSync(join(dir, 'proc'));
    writeFileSync(join(dir, 'proc/consoles'), consoles);
  }
  const program = join(repoDir, 'test/builders/play-display.ts');
  const terminal = new PseudoTerminal(resources, {
    // Its own output goes elsewhere, as that of the installer does, and must not matter.
    command: ['sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh', process.execPath, program, dir, console, scene],
    env: { TERM: 'linux' },
    columns: 80,
    rows: 24,
  });
  const file = join(dir, 'answers');
  const answers = (): string[] => (existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []);
  return { terminal, answers, device: join(dir, 'dev', console) };
}

test('F25 the screen: drawn in place, the question is answered by keys, Ctrl-C ends nothing', async () => {
  await using resources = new Resources();
  const { terminal, answers } = play(resources, 'tty1', 'question');
  await terminal.shows(/^ Address of the durantic server/);
  await terminal.shows(/Ctrl-L redraw/);
  terminal.type('wrong\x03\x1b[A\r');
  await terminal.shows(/^ no address/);
  await terminal.shows(/^ > wrong/);
  terminal.type('\x15https://10.0.0.1:7443x\x7f');
  await terminal.shows(/^ > https:\/\/10\.0\.0\.1:7443$/);
  terminal.type('\r');
  await terminal.shows(/^ https:\/\/10\.0\.0\.1:7443 +eno2 {2}10\.0\.2\.15\/24$/);
  assert.deepEqual(answers(), ['wrong', 'https://10.0.0.1:7443']);
  const { screen } = terminal;
  assert.deepEqual([screen.scrolledLines, screen.wrappedLines], [0, 0]);
  assert.deepEqual(screen.region, { top: 22, bottom: 23 });
  assert.ok(terminal.output.includes('\x1b[1m'), 'no colours');
});

test('F25 the screen: what was written over it is repaired by itself, or by Ctrl-L', async () => {
  await using resources = new Resources();
  const { terminal } = play(resources, 'tty1', 'approval');
  // Words of the screen proper, not of the frame before it.
  await terminal.shows(/^ The code is good for 14 min/);
  terminal.screen.write('\x1b[23;1Ha message of the kernel');
  await waitFor('the message to go', () => !terminal.screen.lines.some((line) => line.includes('message')));
  const before = terminal.output.length;
  terminal.type('\f');
  await waitFor('a redraw', () => terminal.output.slice(before).includes('\x1b[2J'));
  await terminal.shows(/durantic server approve A3C-WXM/);
});

test('F25 a serial line: plain lines, the question is answered there too', async () => {
  await using resources = new Resources();
  const { terminal, answers } = play(resources, 'ttyS0', 'question');
  await terminal.shows(/^Address of the durantic server/);
  await terminal.shows(/^>$/);
  terminal.type('wronh\x7fg\x03');
  await terminal.shows(/^> wrong$/);
  terminal.type('\r');
  await terminal.shows(/^no address$/);
  await terminal.shows(/^>$/);
  terminal.type('https://10.0.0.1:7443\r');
  await terminal.shows(/^\[ +42\.4\] server: https:\/\/10\.0\.0\.1:7443$/);
  assert.deepEqual(answers(), ['wrong', 'https://10.0.0.1:7443']);
  // Backspace, which the echo takes characters back with, is the only control character beside line ends.
  assert.match(terminal.output.replaceAll('\b', ''), /^[\r\n -~]*$/);
  assert.doesNotMatch(terminal.output, /(?<!\r)\n/, 'a line that does not end in CR LF');
});

test('F25 a serial line: Enter tells whoever has just connected how things stand', async () => {
  await using resources = new Resources();
  const { terminal } = play(resources, 'ttyS0', 'approval');
  await terminal.shows(/^\[ +42\.4\] At the server: durantic server approve A3C-WXM/);
  const before = terminal.output.length;
  terminal.type('\r');
  await waitFor('the code again', () => terminal.output.slice(before).includes('APPROVAL CODE:  A3C-WXM'));
});

test('F25 a serial line that the kernel does not print on is set to its speed; the kernel’s own stays as it is', async () => {
  await using resources = new Resources();
  const settings = async (consoles: string): Promise<string> => {
    const { terminal, device } = play(resources, 'ttyS0', 'approval', consoles);
    await terminal.shows(/APPROVAL CODE:/);
    return (await runCommand('stty', ['-F', device, '-a'])).stdout;
  };
  const untouched = await settings('ttyS0                -W- (EC p a)    4:64\n');
  // What a pseudo terminal begins with.
  assert.match(untouched, /^speed 38400 baud;/);
  const set = await settings('tty0                 -WU (EC p  )    4:2\n');
  assert.match(set, /^speed 115200 baud;/);
  assert.match(set, /^-parenb .* cs8 .* clocal /m);
});
