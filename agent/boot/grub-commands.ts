import { blsMenuEntries } from './bls-menu.ts';
import type { GrubMachine } from './grub-machine.ts';
import type { Statement } from './grub-syntax.ts';
import { evaluateGrubTest } from './grub-test.ts';

/** Runs one command; the result is its exit status. */
export type GrubCommand = (
  machine: GrubMachine,
  args: readonly string[],
  block: readonly Statement[] | null,
) => boolean;

/** The commands that decide what boots (GRUB manual, "The list of available commands"); any other only succeeds. */
export const grubCommands: Readonly<Record<string, GrubCommand>> = {
  set: (machine, args) => {
    const match = /^(\w+)=(.*)$/s.exec(args.join(' '));
    if (match?.[1] !== undefined) machine.env.set(match[1], match[2] ?? '');
    return true;
  },
  unset: (machine, args) => {
    for (const name of args) machine.env.delete(name);
    return true;
  },
  true: () => true,
  false: () => false,
  '[': (machine, args) =>
    evaluateGrubTest(args.at(-1) === ']' ? args.slice(0, -1) : args, machine.disk, rootOf(machine)),
  test: (machine, args) => evaluateGrubTest(args, machine.disk, rootOf(machine)),
  load_env: loadEnv,
  source: includeFile,
  '.': includeFile,
  configfile: (machine, args) => {
    // A new menu replaces the one of the file that calls.
    machine.menu = [];
    return includeFile(machine, args);
  },
  menuentry: (machine, args, block) => addEntry(machine, args, { block, isSubmenu: false }),
  submenu: (machine, args, block) => addEntry(machine, args, { block, isSubmenu: true }),
  blscfg: (machine, args) => {
    machine.menu.push(...blsMenuEntries(machine, args[0]));
    return true;
  },
  linux: loadLinux,
  linux16: loadLinux,
  linuxefi: loadLinux,
  initrd: loadInitrd,
  initrd16: loadInitrd,
  initrdefi: loadInitrd,
  search: searchDevice,
  'search.fs_uuid': (machine, args) =>
    searchDevice(machine, ['--fs-uuid', `--set=${args[1] ?? 'root'}`, args[0] ?? '']),
  'search.fs_label': (machine, args) => searchDevice(machine, ['--label', `--set=${args[1] ?? 'root'}`, args[0] ?? '']),
  'search.file': (machine, args) => searchDevice(machine, ['--file', `--set=${args[1] ?? 'root'}`, args[0] ?? '']),
  probe: probeDevice,
  regexp: matchRegexp,
};

function rootOf(machine: GrubMachine): string {
  return machine.env.get('root') ?? '';
}

function includeFile(machine: GrubMachine, args: readonly string[]): boolean {
  const path = args[0] ?? '';
  const text = machine.disk.readText(path, rootOf(machine));
  return text === null ? false : machine.runScript(text, path);
}

function loadEnv(machine: GrubMachine, args: readonly string[]): boolean {
  const files = args.filter((_arg, index) => args[index - 1] === '-f' || args[index - 1] === '--file');
  const path = files[0] ?? `${machine.env.get('prefix') ?? ''}/grubenv`;
  const text = machine.disk.readText(path, rootOf(machine));
  const wanted = new Set(args.filter((arg) => !arg.startsWith('-') && arg !== path));
  for (const line of (text ?? '').split('\n')) {
    const match = /^(\w+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && (wanted.size === 0 || wanted.has(match[1]))) {
      machine.env.set(match[1], match[2] ?? '');
    }
  }
  return text !== null;
}

function addEntry(
  machine: GrubMachine,
  args: readonly string[],
  { block, isSubmenu }: { block: readonly Statement[] | null; isSubmenu: boolean },
): boolean {
  const valued = new Set(['--class', '--users', '--hotkey', '--id', '-c']);
  const named = args.filter((arg, index) => !arg.startsWith('--') && !valued.has(args[index - 1] ?? ''));
  const idAt = args.indexOf('--id');
  const id = idAt === -1 ? args.find((arg) => arg.startsWith('--id='))?.slice(5) : args[idAt + 1];
  const [title = '', ...parameters] = named;
  const isRestricted = !args.includes('--unrestricted');
  const entry = { isSubmenu, isRestricted, title, id: id ?? title };
  machine.menu.push({ ...entry, body: block ?? [], parameters: [title, ...parameters] });
  return true;
}

function loadLinux(machine: GrubMachine, args: readonly string[]): boolean {
  const [kernel = '', ...options] = args;
  machine.loaded = {
    kernel: withDevice(machine, kernel),
    commandLine: options.map(quoteOption).join(' '),
    initrds: [],
  };
  return true;
}

/** As GRUB puts arguments together (grub-core/lib/cmdline.c): one that holds blanks is quoted for the kernel. */
function quoteOption(option: string): string {
  const escaped = option.replace(/[\\'"]/g, '\\$&');
  return option.includes(' ') ? `"${escaped}"` : escaped;
}

function loadInitrd(machine: GrubMachine, args: readonly string[]): boolean {
  if (machine.loaded === null) return false;
  const initrds = args.map((path) => withDevice(machine, path.replace(/^newc:[^:]*:/, '')));
  machine.loaded = { ...machine.loaded, initrds };
  return true;
}

/** `$root` may change after the command, so the device becomes part of the path. */
function withDevice(machine: GrubMachine, path: string): string {
  return path.startsWith('(') ? path : `(${rootOf(machine)})${path}`;
}

function searchDevice(machine: GrubMachine, args: readonly string[]): boolean {
  const has = (...names: string[]): boolean => names.some((name) => args.includes(name));
  const set = args.find((arg) => arg.startsWith('--set'))?.split('=')[1] ?? (has('-s', '--set') ? 'root' : null);
  const name = args.filter((arg) => !arg.startsWith('-')).at(-1) ?? '';
  const found = machine.disk.partitions.find((partition) => {
    if (has('--fs-uuid', '-u')) return partition.fsUuid?.toLowerCase() === name.toLowerCase();
    if (has('--label', '-l')) return partition.fsLabel === name;
    return machine.disk.find(name, `hd0,gpt${partition.number}`) !== null;
  });
  if (found === undefined) {
    machine.missing.push(name);
    return false;
  }
  if (set !== null) machine.env.set(set, `hd0,gpt${found.number}`);
  return true;
}

function probeDevice(machine: GrubMachine, args: readonly string[]): boolean {
  const has = (...names: string[]): boolean => names.some((name) => args.includes(name));
  const setAt = args.findIndex((arg) => arg === '-s' || arg === '--set');
  const set = args.find((arg) => arg.startsWith('--set='))?.slice(6) ?? (setAt === -1 ? null : args[setAt + 1]);
  const device = args.filter((arg, index) => !arg.startsWith('-') && index !== setAt + (setAt === -1 ? 0 : 1)).at(-1);
  const partition = machine.disk.partition((device ?? '').replace(/[()]/g, ''));
  if (partition === null) return false;
  let value: string | null = null;
  if (has('--fs-uuid', '-u')) value = partition.fsUuid;
  else if (has('--part-uuid')) value = partition.partUuid;
  else if (has('--label', '-l')) value = partition.fsLabel;
  else if (has('--partmap', '-p')) value = 'gpt';
  else if (has('--fs', '-f')) value = partition.fsType?.replace(/^ext[34]$/, 'ext2') ?? null;
  if (set && value !== null) machine.env.set(set, value);
  return value !== null;
}

function matchRegexp(machine: GrubMachine, args: readonly string[]): boolean {
  const sets = args.flatMap((arg, index) => {
    if (arg.startsWith('--set=')) return [arg.slice(6)];
    return arg === '--set' || arg === '-s' ? [args[index + 1] ?? ''] : [];
  });
  const [text = '', pattern = ''] = [args.at(-1), args.at(-2)];
  let match: RegExpExecArray | null;
  try {
    match = new RegExp(pattern).exec(text);
  } catch {
    return false;
  }
  if (match === null) return false;
  for (const set of sets) {
    const parts = set.split(':');
    const [group, name] = parts.length > 1 ? [Number(parts[0]), parts[1] ?? ''] : [0, parts[0] ?? ''];
    machine.env.set(name, match[group] ?? '');
  }
  return true;
}
