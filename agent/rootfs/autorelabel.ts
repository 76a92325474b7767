import { errnoOf } from '../../core/base/errors.ts';
import { loadNative } from '../native/load-native.ts';
import { RootFiles } from './root-files.ts';

export interface AutorelabelResult {
  /** True when `/.autorelabel` was written. */
  readonly isRequested: boolean;
  /** One sentence for the log. */
  readonly reason: string;
}

/** Files that every SELinux policy labels, and those that an installation writes itself. */
const samples = [
  '/etc',
  '/etc/fstab',
  '/etc/passwd',
  '/etc/machine-id',
  '/usr/bin',
  '/usr/lib/systemd/systemd',
  '/var/lib',
  '/var/lib/cloud/seed/nocloud/user-data',
  '/var/lib/durantic/provision.json',
  '/usr/local/lib/durantic/durantic',
];

/**
 * Asks for a relabel at the first boot (`/.autorelabel`, selinux-autorelabel(8)) when the image has an SELinux policy
 * that is switched on but files without a label (failure row F46): container layers mostly carry none, and the kernel
 * of the installer gives none to what it writes. Call it last, after the agent and the seed are written.
 * @throws ProvisionError `device_io`, `root_full`; `bundle_missing` when the native addon is missing.
 */
export function requestAutorelabel(root: string): AutorelabelResult {
  const files = new RootFiles(root);
  const policy = activePolicy(files);
  if (policy === null) return { isRequested: false, reason: 'the image has no active SELinux policy' };
  const unlabelled = samples.find((path) => files.lstat(path) !== null && !hasLabel(files.hostPath(path)));
  if (unlabelled === undefined) return { isRequested: false, reason: 'the files of the image carry SELinux labels' };
  files.write('/.autorelabel', '', 0o644);
  return {
    isRequested: true,
    reason: `${unlabelled} has no SELinux label and the policy ${policy} is active: the first boot labels all files`,
  };
}

/** SELINUX= and SELINUXTYPE= of selinux_config(5), with the policy file that they name. */
function activePolicy(files: RootFiles): string | null {
  const config = files.readText('/etc/selinux/config');
  const mode = /^\s*SELINUX\s*=\s*(\w+)/m.exec(config ?? '')?.[1]?.toLowerCase();
  const policy = /^\s*SELINUXTYPE\s*=\s*([\w.-]+)/m.exec(config ?? '')?.[1];
  if (policy === undefined || (mode !== 'enforcing' && mode !== 'permissive')) return null;
  const hasPolicy = files.list(`/etc/selinux/${policy}/policy`).some((name) => name.startsWith('policy.'));
  return hasPolicy ? policy : null;
}

function hasLabel(hostPath: string): boolean {
  try {
    return loadNative().lgetxattr(hostPath, 'security.selinux').byteLength > 0;
  } catch (error) {
    if (errnoOf(error) === 'ENODATA' || errnoOf(error) === 'EOPNOTSUPP' || errnoOf(error) === 'ENOTSUP') return false;
    throw error;
  }
}
