import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { FirmwareFile } from '../../../initramfs/build/first-stage-files.ts';
import { cacheDir } from '../paths.ts';
import { type BuildContext, openKernelTree } from './build-kernel.ts';
import { chooseFirmware, type FirmwareChoice, parseWantedFirmware } from './choose-firmware.ts';
import { drivers } from './drivers.ts';
import { absentFirmware, firmwarePackages } from './firmware-choice.ts';
import { readKernelPin } from './read-kernel-pin.ts';
import { type FirmwareReport, takeFirmware } from './take-firmware.ts';

export interface InstallerFirmware {
  readonly files: readonly FirmwareFile[];
  readonly report: FirmwareReport;
}

/** All files together, compressed: they lie in memory on every machine. */
const largestTotalBytes = 6_000_000;

const keptCount = 3;

/**
 * The firmware that the built-in drivers ask for, each file zstd-compressed as the kernel's loader reads it, with the
 * licences. Taken from Debian's packages once for each list of files and kept in the cache, with a report of the
 * packages and every checksum; `refresh` asks the mirror again. Compiles the kernel when the cache does not hold it.
 * @throws Error when a package cannot be had, when none holds a file that a driver asks for, or when all is too large.
 */
export async function installerFirmware(
  context: BuildContext & { readonly refresh?: boolean },
): Promise<InstallerFirmware> {
  const pin = readKernelPin();
  const choice = chooseFirmware(await wantedFirmware(context), absentFirmware);
  checkDocumented(choice);
  const folder = join(cacheDir, 'firmware', choiceKey(choice, pin.firmwareSuite));
  if (context.refresh || !existsSync(join(folder, 'report.json'))) {
    await refill(folder, (draft) =>
      takeFirmware({ ...context, choice, packages: firmwarePackages, suite: pin.firmwareSuite, folder: draft }),
    );
  }
  const now = new Date();
  utimesSync(folder, now, now);
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as FirmwareReport;
  if (report.totalBytes > largestTotalBytes) {
    throw new Error(`the firmware takes ${report.totalBytes} bytes, more than ${largestTotalBytes}`);
  }
  const files = report.files.map(({ stored }): FirmwareFile => {
    return { path: stored, kind: 'file', source: join(folder, stored) };
  });
  return { files, report };
}

async function wantedFirmware(context: BuildContext) {
  const { tree, lock } = await openKernelTree(context);
  await using _ = lock;
  return parseWantedFirmware(readFileSync(join(tree.objectFolder, 'modules.builtin.modinfo'), 'latin1'));
}

/** docs/hardware.md says of these drivers, and of no others, that the installer brings their firmware. */
function checkDocumented({ taken }: FirmwareChoice): void {
  // qed asks for what adapters of qede need.
  const found = new Set(taken.map(({ module }) => (module === 'qed' ? 'qede' : module)));
  const said = new Set(drivers.filter(({ firmware }) => firmware !== undefined).map(({ module }) => module));
  const differing = found.symmetricDifference(said);
  if (differing.size > 0) {
    throw new Error(`drivers.ts and the kernel differ in whose firmware is brought: ${[...differing].join(', ')}`);
  }
}

function choiceKey({ taken }: FirmwareChoice, suite: string): string {
  const input = JSON.stringify({ suite, packages: firmwarePackages, files: taken.map(({ path }) => path) });
  return createHash('sha256').update(input).digest('hex').slice(0, 16);
}

/** Replaces the folder by what `fill` makes, whole or not at all; the oldest others go. */
async function refill(folder: string, fill: (draft: string) => Promise<FirmwareReport>): Promise<void> {
  const parent = dirname(folder);
  mkdirSync(parent, { recursive: true });
  const draft = mkdtempSync(join(parent, '.draft-'));
  try {
    const report = await fill(draft);
    writeFileSync(join(draft, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  removeOldest(parent, folder);
}

function removeOldest(parent: string, inUse: string): void {
  const folders = readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => join(parent, name))
    .filter((path) => path !== inUse && existsSync(join(path, 'report.json')))
    .sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  for (const path of folders.slice(keptCount - 1)) rmSync(path, { recursive: true, force: true });
}
