import { bootFileName, bootFileNumber, bootFileText, parseBootFileHeader } from '../../agent/link/boot-file-text.ts';
import type { Outbox } from '../../agent/link/outbox.ts';
import { agentPaths } from '../../agent/rootfs/plan-injection.ts';
import type { RootFiles } from '../../agent/rootfs/root-files.ts';

const folder = `${agentPaths.state}/outbox`;

/**
 * Writes what the server has not acknowledged into the outbox of a mounted system, behind what that has of its own boots:
 * its agent sends both. What the same start of the installer has handed over before is replaced.
 * @throws ProvisionError `root_full`, `device_io`.
 */
export function writeOutboxFiles(files: RootFiles, outbox: Pick<Outbox, 'kept'>): void {
  files.makeDir(folder, 0o700);
  const present = files.list(folder).flatMap((name) => {
    const number = bootFileNumber(name);
    if (number === null) return [];
    const [first = ''] = (files.readText(`${folder}/${name}`) ?? '').split('\n', 1);
    return [{ number, bootId: parseBootFileHeader(first)?.boot_id ?? null }];
  });
  let last = Math.max(0, ...present.map(({ number }) => number));
  for (const { bootId, ...live } of outbox.kept()) {
    const own = present.find((file) => file.bootId === bootId);
    if (own === undefined) last += 1;
    files.write(`${folder}/${bootFileName(own?.number ?? last)}`, bootFileText(bootId, live), 0o600);
  }
}
