import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { runCommand } from '../core/base/run-command.ts';
import { type CpioEntry, withParents, writeCpio } from '../core/cpio/cpio.ts';
import { Resources } from '../test/resources.ts';
import { installerAsset } from '../test/vm/installer-assets.ts';
import { startVm } from '../test/vm/qemu.ts';
import type { Firmware } from '../test/vm/qemu-arguments.ts';
import { lazyBuiltins } from './build/bundle-plugins.ts';
import { inkDefines, inkInScript } from './build/ink-plugin.ts';
import { repoDir } from './build/paths.ts';

/**
 * Shows scenes of the installer on a real Linux console, that of dist/vmlinuz in QEMU, and takes a picture of each:
 * scripts/screenshots.ts --to DIR [--firmware seabios|ovmf] [NAME...]
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { to: { type: 'string' }, firmware: { type: 'string', default: 'seabios' } },
});
if (values.to === undefined || !['seabios', 'ovmf'].includes(values.firmware)) {
  process.stderr.write('usage: scripts/screenshots.ts --to DIR [--firmware seabios|ovmf] [NAME...]\n');
  process.exit(2);
}
const folder = values.to;
mkdirSync(folder, { recursive: true });
await using resources = new Resources();
const work = resources.tempDir('durantic-screenshots-');
const program = join(work, 'play-scenes.js');
await build({
  entryPoints: [join(repoDir, 'scripts', 'play-scenes.ts')],
  outfile: program,
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  mainFields: ['module', 'main'],
  plugins: [inkInScript, lazyBuiltins],
  define: { ...inkDefines, 'import.meta.url': '"file:///screens.js"', 'import.meta.dirname': '"/"' },
  logLevel: 'warning',
});
const init = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/node /play-scenes.js ${positionals.join(' ')} >/dev/ttyS1 2>&1
/bin/busybox poweroff -f
`;
const node = realpathSync(join(repoDir, 'node_modules', '.bin', 'node'));
const { stdout } = await runCommand('ldd', [node]);
const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
const file = (path: string, source: string | Buffer): CpioEntry => ({ path, kind: 'file', isExecutable: true, source });
const initrd = join(work, 'initrd.cpio');
writeCpio(
  initrd,
  withParents([
    file('bin/busybox', '/bin/busybox'),
    file('bin/node', node),
    ...libraries.map((library) => file(library.slice(1), realpathSync(library))),
    file('play-scenes.js', readFileSync(program)),
    file('init', Buffer.from(init)),
    ...['dev', 'proc', 'sys'].map((path): CpioEntry => ({ path, kind: 'directory' })),
  ]),
);
const vm = await startVm(resources, {
  name: 'screens',
  firmware: values.firmware as Firmware,
  network: null,
  memoryMib: 1536,
  serialPorts: ['console', 'second'],
  kernel: { file: installerAsset('vmlinuz'), initrd, append: 'quiet loglevel=4 panic=-1' },
});
const shown = (): string[] => [...vm.secondConsole.matchAll(/^SCENE (\S+)$/gm)].map((match) => match[1] ?? '');
let taken = 0;
while (!vm.hasEnded) {
  const name = await vm.waitUntil('the next scene', () => vm.hasEnded || shown()[taken], { timeoutMs: 180_000 });
  if (name === true) break;
  await vm.screenshot(join(folder, `${name}.png`));
  process.stdout.write(`${name} ${vm.seconds.toFixed(1)} s\n`);
  taken += 1;
}
writeFileSync(join(folder, 'serial.txt'), vm.console);
writeFileSync(join(folder, 'program.txt'), vm.secondConsole);
