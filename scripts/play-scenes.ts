import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDisplay } from '../installer/console/display.ts';
import { sceneClock, scenes } from '../test/builders/installer-scenes.ts';

/** Runs in the guest of scripts/screenshots.ts: shows each scene and says on its standard output when it stands. */
async function playScenes(names: readonly string[]): Promise<void> {
  const startedMs = performance.now();
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  const say = (text: string): void => writeFileSync(1, `${text}\n`);
  for (const name of names.length === 0 ? Object.keys(scenes) : names) {
    const controller = new AbortController();
    const openedMs = performance.now();
    await using display = await openDisplay({
      choice: 'auto',
      onAnswer: (text) => say(`ANSWER ${text}`),
      signal: controller.signal,
      clock: () => sceneClock,
    });
    say(
      `opened in ${Math.round(performance.now() - openedMs)} ms, ${Math.round(openedMs - startedMs)} ms after the start`,
    );
    for (const event of scenes[name.replace(/\+.*/, '')] ?? []) display.show(event);
    await sleep(2500);
    if (name.endsWith('+kernel')) {
      for (let line = 1; line <= 4; line += 1)
        writeFileSync('/dev/kmsg', `<2>a message of the kernel, number ${line}\n`);
      await sleep(200);
    }
    say(`busy for at most ${Math.round(delays.max / 1e6)} ms at a time`);
    delays.reset();
    say(`memory ${JSON.stringify(process.memoryUsage())}`);
    say(`SCENE ${name}`);
    await sleep(1000);
  }
}

void playScenes(process.argv.slice(2));
