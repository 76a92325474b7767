import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';

export interface GuestKernel {
  readonly vmlinuz: string;
  /** Where the module files lie, decompressed. */
  readonly modulesDir: string;
  /** Package file name, which names the version. */
  readonly packageName: string;
}

/** Half of the modules' 400 MB, for hardware that QEMU has not. */
const unusedParts = ['sound', 'drivers/gpu', 'drivers/media', 'drivers/net/wireless', 'drivers/infiniband'];

/** Folder for what is dear to make again; deleting it breaks nothing. */
export const cacheDir = join(homedir(), '.cache', 'durantic');

/**
 * Debian's kernel for test guests, taken out of its package without installing it. It reads GPT and every other
 * partition format of CONFIG_PARTITION_ADVANCED, which the kernel of the test host need not.
 */
export async function guestKernel(): Promise<GuestKernel> {
  const { name, version } = await kernelPackage();
  const packageName = `${name}_${version.replaceAll(':', '%3a')}`;
  const dir = join(cacheDir, 'guest-kernel', packageName);
  const release = name.replace('linux-image-', '');
  const kernel = { vmlinuz: join(dir, 'vmlinuz'), modulesDir: join(dir, 'modules'), packageName };
  const has = readdirOf(dir);
  if (has.includes('vmlinuz') && has.includes('modules')) return kernel;
  mkdirSync(dirname(dir), { recursive: true });
  const work = mkdtempSync(`${dir}.`);
  try {
    await unpackKernel(work, { name, version, release });
    rmSync(dir, { recursive: true, force: true });
    renameSync(join(work, 'result'), dir);
  } catch (error) {
    // Two runs side by side may both unpack; the one that comes second uses the first one's.
    if (!readdirOf(dir).includes('vmlinuz')) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return kernel;
}

/** Module files in an order in which each can be inserted after the ones before it; built-in names are left out. */
export function moduleOrder(modulesDir: string, names: readonly string[]): string[] {
  const files = new Map<string, string>();
  for (const file of readdirSync(modulesDir, { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.ko')) files.set(moduleName(file), join(modulesDir, file));
  }
  const order: string[] = [];
  const visit = (name: string): void => {
    const file = files.get(moduleName(name));
    if (file === undefined || order.includes(file)) return;
    for (const dependency of dependencies(file)) visit(dependency);
    order.push(file);
  };
  for (const name of names) visit(name);
  return order;
}

/** `depends=` of the section .modinfo: what modpost wrote when the kernel was built. */
function dependencies(file: string): string[] {
  const data = readFileSync(file);
  const at = data.indexOf('\0depends=');
  if (at < 0) return [];
  const start = at + '\0depends='.length;
  return data.toString('latin1', start, data.indexOf(0, start)).split(',').filter(Boolean);
}

function moduleName(file: string): string {
  return basename(file, '.ko').replaceAll('-', '_');
}

async function kernelPackage(): Promise<{ name: string; version: string }> {
  const found = await askForKernel();
  if (found !== undefined) return found;
  await runCommand('apt-get', ['-qq', 'update']);
  const updated = await askForKernel();
  if (updated === undefined) throw new Error('apt knows no linux-image-amd64');
  return updated;
}

/** What the package linux-image-amd64 stands for at present; undefined where apt has no lists. */
async function askForKernel(): Promise<{ name: string; version: string } | undefined> {
  const args = ['show', '--no-all-versions', 'linux-image-amd64'];
  const meta = (await runCommand('apt-cache', args, { okExitCodes: [0, 100] })).stdout;
  const name = /^Depends: (?:.*, )?(linux-image-[^\s,]+)/m.exec(meta)?.[1];
  if (name === undefined) return undefined;
  const policy = (await runCommand('apt-cache', ['policy', name])).stdout;
  const version = /^ *Candidate: (\S+)/m.exec(policy)?.[1];
  return version === undefined || version === '(none)' ? undefined : { name, version };
}

/** Lists that are a while old name versions that the mirror no longer has. */
async function downloadPackage(dir: string, name: string, version: string): Promise<string> {
  await runCommand('apt-get', ['-qq', 'download', `${name}=${version}`], { cwd: dir, okExitCodes: [0, 100] });
  if (!readdirOf(dir).some((file) => file.endsWith('.deb'))) {
    await runCommand('apt-get', ['-qq', 'update']);
    await runCommand('apt-get', ['-qq', 'download', name], { cwd: dir });
  }
  const archive = readdirOf(dir).find((file) => file.endsWith('.deb'));
  if (archive === undefined) throw new Error(`apt-get download gave no ${name}`);
  return join(dir, archive);
}

async function unpackKernel(work: string, kernel: { name: string; version: string; release: string }): Promise<void> {
  const archive = await downloadPackage(work, kernel.name, kernel.version);
  await runCommand('dpkg-deb', ['-x', archive, join(work, 'tree')]);
  const result = join(work, 'result');
  mkdirSync(result);
  renameSync(join(work, 'tree/boot', `vmlinuz-${kernel.release}`), join(result, 'vmlinuz'));
  const parents = ['lib/modules', 'usr/lib/modules'].map((parent) => join(work, 'tree', parent, kernel.release));
  const modules = parents.find((parent) => readdirOf(parent).includes('kernel'));
  if (modules === undefined) throw new Error(`${archive} holds no modules`);
  // Debian 13 compresses modules; the guest inserts them with nothing that could decompress.
  const compressed = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.xz'));
  if (compressed.length > 0) await runCommand('xz', ['-d', ...compressed], { cwd: modules });
  for (const part of unusedParts) rmSync(join(modules, 'kernel', part), { recursive: true, force: true });
  renameSync(join(modules, 'kernel'), join(result, 'modules'));
}

function readdirOf(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
