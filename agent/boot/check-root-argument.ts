import { ProvisionError } from '../../core/base/errors.ts';
import type { PartitionIdentity } from '../rootfs/types.ts';
import type { BootLayout } from './installed-disk.ts';

/**
 * Compares `root=` of a kernel command line with the installed root partition. Names that change from boot to boot
 * (`/dev/sda3`) and labels, which another disk may carry as well, give a warning.
 * @throws ProvisionError `boot_path_invalid` when it names another file system.
 */
export function checkRootArgument(commandLine: string, layout: BootLayout): { line: string; warnings: string[] } {
  const value = [...commandLine.matchAll(/(?:^|\s)root=(\S*)/g)].at(-1)?.[1];
  const root = layout.partitions.find(({ number }) => number === layout.rootNumber);
  if (value === undefined || root === undefined) return { line: 'root: chosen by the initramfs', warnings: [] };
  const [tag, name] = tagOf(value);
  const actual = actualValue(tag, root);
  if (actual === undefined) {
    return {
      line: `root: ${value}`,
      warnings: [`root=${value} is a name that may mean another disk at the next boot`],
    };
  }
  if (actual === null || !isEqual(tag, actual, name)) {
    throw new ProvisionError(
      'boot_path_invalid',
      `the kernel is told root=${value}, but the installed root has ${tag} ${actual ?? '(none)'}`,
      { facts: { root_argument: value } },
    );
  }
  const warnings = tag.endsWith('LABEL') ? [`root=${value} is a label, which another disk may carry as well`] : [];
  return { line: `root: ${value} is the installed root`, warnings };
}

function tagOf(value: string): readonly [string, string] {
  const bare = value.replaceAll('"', '');
  const tagged = /^(UUID|PARTUUID|LABEL|PARTLABEL)=(.*)$/.exec(bare);
  if (tagged?.[1] !== undefined) return [tagged[1], tagged[2] ?? ''];
  const link = /^\/dev\/disk\/by-(uuid|partuuid|label|partlabel)\/(.*)$/.exec(bare);
  return link?.[1] === undefined ? ['', bare] : [link[1].toUpperCase(), link[2] ?? ''];
}

/** Undefined for a form that names no identifier, null when the partition has none of that kind. */
function actualValue(tag: string, root: PartitionIdentity): string | null | undefined {
  switch (tag) {
    case 'UUID':
      return root.fsUuid;
    case 'PARTUUID':
      return root.partUuid;
    case 'LABEL':
      return root.fsLabel;
    case 'PARTLABEL':
      return root.partLabel;
    default:
      return undefined;
  }
}

function isEqual(tag: string, actual: string, name: string): boolean {
  return tag.endsWith('LABEL') ? actual === name : actual.toLowerCase() === name.toLowerCase();
}
