import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../../core/base/run-command.ts';
import { type ConsoleRoots, findConsoles } from '../../../../installer/console/find-consoles.ts';
import { parseSpcr } from '../../../../installer/console/parse-spcr.ts';
import { spcrTable } from '../../../builders/spcr-table.ts';
import { Resources } from '../../../resources.ts';
import { repoDir } from '../../project/source-files.ts';

interface Machine {
  /** Names of the kernel's consoles behind the virtual terminals, with whether they are bound. */
  readonly displays?: Readonly<Record<string, boolean>>;
  /** Port addresses of the UARTs by number; null: the driver's line without a chip. */
  readonly uarts?: readonly (string | null)[];
  /** Memory addresses of UARTs. */
  readonly memoryUarts?: Readonly<Record<string, string>>;
  readonly others?: readonly string[];
  readonly cmdline?: string;
  readonly consoles?: string;
  readonly spcr?: Buffer;
}

const builtIn = 'console=ttyS0,115200 console=tty0';
const dummy = { '(S) dummy device': true };

function machine(resources: Resources, facts: Machine): ConsoleRoots {
  const root = resources.tempDir();
  const put = (path: string, text: string | Buffer): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  Object.entries(facts.displays ?? dummy).forEach(([name, isBound], index) => {
    put(`sys/class/vtconsole/vtcon${index}/name`, `${name}\n`);
    put(`sys/class/vtconsole/vtcon${index}/bind`, isBound ? '1\n' : '0\n');
  });
  (facts.uarts ?? [null, null, null, null]).forEach((port, index) => {
    put(`sys/class/tty/ttyS${index}/type`, port === null ? '0\n' : '4\n');
    put(`sys/class/tty/ttyS${index}/port`, `${port ?? '0x2E8'}\n`);
    put(`sys/class/tty/ttyS${index}/iomem_base`, '0x0\n');
  });
  for (const [name, address] of Object.entries(facts.memoryUarts ?? {})) {
    put(`sys/class/tty/${name}/type`, '4\n');
    put(`sys/class/tty/${name}/port`, '0x0\n');
    put(`sys/class/tty/${name}/iomem_base`, `${address}\n`);
  }
  for (const name of facts.others ?? []) put(`sys/class/tty/${name}/uevent`, '');
  if (facts.spcr !== undefined) put('sys/firmware/acpi/tables/SPCR', facts.spcr);
  put('proc/cmdline', `${facts.cmdline ?? builtIn}\n`);
  put('proc/consoles', facts.consoles ?? 'tty0                 -WU (EC p  )    4:2\n');
  return { sys: join(root, 'sys'), proc: join(root, 'proc'), dev: join(root, 'dev') };
}

const names = (found: ReturnType<typeof findConsoles>) => ({
  screen: found.screen,
  serial: found.serial.map(({ name, why }) => `${name} ${why}`),
});

test('F25 VGA and ttyS0: screens on one, lines on the other', async () => {
  await using resources = new Resources();
  const roots = machine(resources, { displays: { '(S) VGA+': true }, uarts: ['0x3F8', null, null, null] });
  assert.deepEqual(names(findConsoles('auto', roots)), { screen: 'tty1', serial: ['ttyS0 kernel'] });
});

test('F25 no display, SPCR at ttyS1: lines there, none on ttyS0, which has no chip', async () => {
  await using resources = new Resources();
  const roots = machine(resources, { uarts: [null, '0x2F8', null, null], spcr: spcrTable() });
  assert.deepEqual(names(findConsoles('auto', roots)), { screen: null, serial: ['ttyS1 firmware'] });
});

test('F25 without a VGA BIOS the kernel writes into the void as if a CGA card were there: no display', async () => {
  await using resources = new Resources();
  const roots = machine(resources, { displays: { '(S) *CGA': true }, uarts: ['0x3F8', null, null, null] });
  assert.deepEqual(names(findConsoles('auto', roots)), { screen: null, serial: ['ttyS0 kernel'] });
});

test('F25 both lines have a chip: the firmware names one, the kernel writes on the other', async () => {
  await using resources = new Resources();
  const displays = { '(S) dummy device': false, '(M) frame buffer device': true };
  const roots = machine(resources, { displays, uarts: ['0x3F8', '0x2F8', null, null], spcr: spcrTable() });
  assert.deepEqual(names(findConsoles('auto', roots)), {
    screen: 'tty1',
    serial: ['ttyS1 firmware', 'ttyS0 kernel'],
  });
});

test('no serial line at all: the built-in console=ttyS0 makes none', async () => {
  await using resources = new Resources();
  const displays = { '(S) VGA+': false, '(M) frame buffer device': true };
  const roots = machine(resources, { displays });
  assert.deepEqual(names(findConsoles('auto', roots)), { screen: 'tty1', serial: [] });
});

test('neither display nor serial line: nothing, and no error', async () => {
  await using resources = new Resources();
  assert.deepEqual(findConsoles('auto', machine(resources, {})), { screen: null, serial: [], notes: [] });
  const nowhere = { sys: '/nonexistent', proc: '/nonexistent', dev: '/nonexistent' };
  assert.deepEqual(findConsoles('auto', nowhere), { screen: null, serial: [], notes: [] });
});

test('two console= and a virtual one: each once, with a chip behind it', async () => {
  await using resources = new Resources();
  const roots = machine(resources, {
    uarts: ['0x3F8', '0x2F8', null, null],
    others: ['hvc0'],
    cmdline: `${builtIn} console=ttyS1,9600n8 console=ttyS3 console=hvc0 console=hvc1 console=ttyS1`,
    consoles: 'ttyS1                -W- (EC p a)    4:65\ntty0                 -WU (E  p  )    4:1\n',
  });
  assert.deepEqual(names(findConsoles('auto', roots)).serial, ['ttyS1 kernel', 'ttyS0 kernel', 'hvc0 kernel']);
});

test('nobody names a line: the only one that exists is it, of several none', async () => {
  await using resources = new Resources();
  const only = machine(resources, { uarts: [null, null, '0x3E8', null] });
  assert.deepEqual(names(findConsoles('auto', only)).serial, ['ttyS2 only one']);
  const several = machine(resources, { uarts: [null, '0x2F8', '0x3E8', null] });
  assert.deepEqual(names(findConsoles('auto', several)).serial, []);
  const xen = machine(resources, { others: ['hvc0', 'hvc1'] });
  assert.deepEqual(names(findConsoles('auto', xen)).serial, ['hvc0 only one']);
});

test('F25 the speed of a line that the kernel does not print on: the SPCR table says it, else 115200 baud', async () => {
  await using resources = new Resources();
  const consoles = 'ttyS0                -W- (EC p a)    4:64\n';
  const speedsOf = (facts: Machine) =>
    findConsoles('auto', machine(resources, facts)).serial.map(({ name, speedBaud }) => `${name} ${speedBaud}`);
  const uarts = ['0x3F8', '0x2F8', null, null];
  assert.deepEqual(speedsOf({ uarts, consoles, spcr: spcrTable() }), ['ttyS1 115200', 'ttyS0 null']);
  assert.deepEqual(speedsOf({ uarts, consoles, spcr: spcrTable({ speed: 4 }) }), ['ttyS1 19200', 'ttyS0 null']);
  assert.deepEqual(speedsOf({ uarts, consoles, spcr: spcrTable({ speed: 0 }) }), ['ttyS1 115200', 'ttyS0 null']);
  const onConsole = spcrTable({ address: 0x3f8n, speed: 3 });
  assert.deepEqual(speedsOf({ uarts, consoles, spcr: onConsole }), ['ttyS0 null'], 'the kernel knows better');
  assert.deepEqual(speedsOf({ uarts: [null, '0x2F8'] }), ['ttyS1 115200'], 'the only one');
  assert.deepEqual(speedsOf({ others: ['hvc0'] }), ['hvc0 null']);
});

test('F25 what the scripts say before and after the installer is as fast', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'SPCR');
  const tables = [{ speed: 3 }, { speed: 4 }, { speed: 6 }, { speed: 7 }, { speed: 0 }, { speed: 3, address: 0n }];
  const script = `. ${join(repoDir, 'initramfs/functions')}; firmware_speed "$1"`;
  const said: string[] = [];
  for (const table of [...tables.map(spcrTable), null]) {
    if (table === null) rmSync(file);
    else writeFileSync(file, table);
    said.push((await runCommand('busybox', ['sh', '-c', script, 'sh', file])).stdout.trim());
  }
  assert.deepEqual(said, ['9600', '19200', '57600', '115200', '115200', '115200', '115200']);
});

test('a line in memory, as on a PCI card, is matched by its address', async () => {
  await using resources = new Resources();
  const table = spcrTable({ space: 0, address: 0xfe_dc_90_00n });
  const roots = machine(resources, { memoryUarts: { ttyS4: '0xFEDC9000' }, uarts: ['0x3F8', null], spcr: table });
  assert.deepEqual(names(findConsoles('auto', roots)).serial, ['ttyS4 firmware', 'ttyS0 kernel']);
});

test('durantic.console: one kind only, but never none where there is another', async () => {
  await using resources = new Resources();
  const both = machine(resources, { displays: { '(S) VGA+': true }, uarts: ['0x3F8'] });
  assert.deepEqual(names(findConsoles('tty', both)), { screen: 'tty1', serial: [] });
  assert.deepEqual(names(findConsoles('serial', both)), { screen: null, serial: ['ttyS0 kernel'] });
  const headless = findConsoles('tty', machine(resources, { uarts: ['0x3F8'] }));
  assert.deepEqual(names(headless), { screen: null, serial: ['ttyS0 kernel'] });
  assert.match(headless.notes.join(), /no display/);
  const withoutLine = findConsoles('serial', machine(resources, { displays: { '(S) VGA+': true } }));
  assert.deepEqual(names(withoutLine), { screen: 'tty1', serial: [] });
  assert.match(withoutLine.notes.join(), /no serial line/);
});

test('a damaged SPCR table, or one that says that redirection is off, names no line', () => {
  assert.deepEqual(parseSpcr(spcrTable()), { space: 'io', address: 0x2f8n, speedBaud: 115_200 });
  assert.deepEqual(parseSpcr(spcrTable({ space: 0, address: 0xfe00_0000n })), {
    space: 'memory',
    address: 0xfe00_0000n,
    speedBaud: 115_200,
  });
  const speeds = [0, 1, 3, 4, 5, 6, 7, 8].map((speed) => parseSpcr(spcrTable({ speed }))?.speedBaud);
  assert.deepEqual(speeds, [null, null, 9600, 19_200, null, 57_600, 115_200, null]);
  assert.equal(parseSpcr(spcrTable({ address: 0n })), null);
  const wrongSum = spcrTable();
  wrongSum[44] = 0xf9;
  assert.equal(parseSpcr(wrongSum), null);
  assert.equal(parseSpcr(spcrTable().subarray(0, 60)), null);
  assert.equal(parseSpcr(Buffer.alloc(80)), null);
  const tooLong = spcrTable();
  tooLong.writeUInt32LE(5000, 4);
  assert.equal(parseSpcr(tooLong), null);
});
