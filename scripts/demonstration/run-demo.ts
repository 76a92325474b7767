import { copyFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { formatBytes } from '../../core/base/format-bytes.ts';
import { startRegistry } from '../../test/builders/registry.ts';
import type { Resources } from '../../test/resources.ts';
import { type InstalledFacts, installedFactsSchema, proofUserData } from '../../test/vm/installed-guest.ts';
import { startVm } from '../../test/vm/qemu.ts';
import { distDir, repoDir } from '../build/paths.ts';
import { DemoSteps, print, runDemonstration, show } from './demo-steps.ts';
import { followConsole } from './follow-console.ts';

const diskBytes = 8 * 1024 ** 3;
const bootTimeoutMs = 300_000;
const demoDir = join(distDir, 'demo');
const files = {
  disk: join(demoDir, 'disk.raw'),
  userData: join(demoDir, 'user-data'),
  console: join(demoDir, 'console.log'),
  image: join(distDir, 'images', 'debian-12'),
};

const steps = new DemoSteps(5);

interface DemoFlags {
  readonly firmware: 'ovmf' | 'seabios';
  readonly keep: boolean;
}

async function runDemo(flags: DemoFlags, resources: Resources): Promise<void> {
  mkdirSync(demoDir, { recursive: true });
  await steps.step('Build the binary', () => show(join(repoDir, 'scripts/build-binary'), []));
  await steps.step('Build a Debian 12 image (layer 0: disk; layer 1: root file system)', () =>
    show(join(repoDir, 'scripts/build-image'), ['debian-12']),
  );
  const reference = await steps.step('Start a registry and push the image', async () => {
    const registry = await startRegistry(resources);
    const pushed = await registry.push(`oci:${files.image}`, 'debian:12');
    print(`     ${pushed}`);
    return pushed;
  });
  await steps.step(`Install it on a disk of ${formatBytes(diskBytes)}`, async () => {
    rmSync(files.disk, { force: true });
    writeFileSync(files.disk, '');
    truncateSync(files.disk, diskBytes);
    writeFileSync(files.userData, proofUserData({ waitsForAgent: true }));
    if (!flags.keep) resources.defer('remove the disk', () => rmSync(files.disk, { force: true }));
    const what = ['--image', reference, '--plain-http', '--disk', relative(repoDir, files.disk)];
    const how = ['--user-data', relative(repoDir, files.userData), '--hostname', 'durantic-demo'];
    const args = ['provision', ...what, ...how, '--append-karg', 'console=ttyS0', '--yes'];
    print(`     ./dist/durantic ${args.join(' ')}`);
    await show(join(distDir, 'durantic'), args);
  });
  const firmwareName = flags.firmware === 'ovmf' ? 'UEFI (OVMF)' : 'BIOS (SeaBIOS)';
  const facts = await steps.step(`Boot that disk under ${firmwareName} and wait for its proof`, () =>
    boot(flags, resources),
  );
  printSummary(flags, facts);
}

/** Boots the disk, shows its console, and gives what the booted system says of itself. */
async function boot(flags: DemoFlags, resources: Resources): Promise<InstalledFacts> {
  const disks = [{ file: files.disk, bootIndex: 0 }];
  const vm = await startVm(resources, { name: 'demo', firmware: flags.firmware, memoryMib: 1536, disks });
  const stopFollowing = followConsole(vm.files.consoleLog, (text) => process.stdout.write(text));
  try {
    const proof = await vm.waitForProof('installed', { timeoutMs: bootTimeoutMs });
    await vm.waitForPoweroff({ timeoutMs: 60_000 });
    return installedFactsSchema.parse(proof.facts);
  } finally {
    stopFollowing();
    copyFileSync(vm.files.consoleLog, files.console);
    print();
  }
}

function printSummary(flags: DemoFlags, facts: InstalledFacts): void {
  const here = (file: string): string => relative(process.cwd(), file);
  print(`
The installed system has booted, run its cloud-init and proved it over virtio-serial:
     host name     ${facts.hostname}
     root          ${facts.root.fstype}, ${formatBytes(facts.root.size)} on a disk of ${formatBytes(facts.disk_bytes)}
     cloud-init    ${facts.cloud_init.datasource}, ${facts.cloud_init.errors.length} errors
     machine id    ${facts.machine_id}
     agent         ${facts.agent['ActiveState']}, ${facts.agent_version}

Where everything is:
     binary        ${here(join(distDir, 'durantic'))}
     bundle        ${here(join(distDir, 'durantic-linux-x64.tar.gz'))}
     image         ${here(files.image)} (OCI layout)
     user-data     ${here(files.userData)}
     console       ${here(files.console)}
     disk          ${flags.keep ? here(files.disk) : 'removed; --keep leaves it'}

All of it took ${steps.took}.`);
}

function readFlags(): DemoFlags {
  const { values } = parseArgs({
    options: { uefi: { type: 'boolean' }, bios: { type: 'boolean' }, keep: { type: 'boolean', default: false } },
  });
  if (values.uefi && values.bios) throw new Error('--uefi and --bios exclude each other');
  return { firmware: values.bios ? 'seabios' : 'ovmf', keep: values.keep };
}

await runDemonstration(async (resources) => await runDemo(readFlags(), resources));
