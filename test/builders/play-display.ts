import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDisplay } from '../../installer/console/display.ts';
import { sceneClock, scenes } from './installer-scenes.ts';

/**
 * A program for test/net/installer/display.test.ts, to be started on a terminal: takes that for the console of a machine
 * whose files are below DIR, plays a scene there, and writes answers to DIR/answers. Ends with SIGTERM, as the installer does.
 */
const [dir = '', console = 'tty1', scene = 'question'] = process.argv.slice(2);
const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
};
put('sys/class/vtconsole/vtcon0/name', console === 'tty1' ? '(S) VGA+\n' : '(S) dummy device\n');
put('sys/class/vtconsole/vtcon0/bind', '1\n');
put('sys/class/tty/ttyS0/type', console === 'ttyS0' ? '4\n' : '0\n');
put('proc/cmdline', 'console=ttyS0,115200 console=tty0\n');
mkdirSync(join(dir, 'dev'));
symlinkSync(readlinkSync('/proc/self/fd/0'), join(dir, 'dev', console));

const controller = new AbortController();
process.once('SIGTERM', () => controller.abort());
const answers: string[] = [];
await using display = await openDisplay({
  choice: 'auto',
  onAnswer: (text) => {
    answers.push(text);
    put('answers', JSON.stringify(answers));
    const isTaken = text.startsWith('https://');
    const problem = isTaken
      ? null
      : { name: 'server' as const, prompt: 'Address of the server', problem: 'no address' };
    display.show({ kind: 'question', question: problem });
    if (isTaken) display.show({ kind: 'server', server: text, pin: null });
  },
  signal: controller.signal,
  roots: { sys: join(dir, 'sys'), proc: join(dir, 'proc'), dev: join(dir, 'dev') },
  clock: () => sceneClock,
});
for (const event of scenes[scene] ?? []) display.show(event);
put('ready', '');
await sleep(60_000, undefined, { signal: controller.signal }).catch(() => undefined);
