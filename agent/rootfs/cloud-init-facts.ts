import type { RootFiles } from './root-files.ts';

/** What the seed has to know about an image's cloud-init. */
export interface CloudInitFacts {
  /** `22.4.2`, or null where it cannot be read. */
  readonly version: string | null;
  /** Only netplan's renderer takes a match by name; the others need a device name or cloud-init's own fallback. */
  readonly rendersNetplan: boolean;
  /** cloud-init finds a link by its MAC without `set-name`. */
  readonly findsLinkByMac: boolean;
}

const programs = ['/usr/bin/cloud-init', '/usr/local/bin/cloud-init', '/bin/cloud-init'];
const firstVersionByMac = [21, 4] as const;

/** Facts about the cloud-init in a root filesystem, or null when there is none. */
export function readCloudInitFacts(files: RootFiles): CloudInitFacts | null {
  if (!programs.some((path) => files.isFile(path))) return null;
  const version = readVersion(files);
  return { version, rendersNetplan: rendersNetplan(files), findsLinkByMac: isAtLeast(version, firstVersionByMac) };
}

function readVersion(files: RootFiles): string | null {
  for (const lib of ['/usr/lib', '/usr/local/lib', '/usr/lib64']) {
    for (const python of files.list(lib).filter((name) => name.startsWith('python3'))) {
      for (const packages of ['dist-packages', 'site-packages']) {
        const text = files.readText(`${lib}/${python}/${packages}/cloudinit/version.py`);
        const version = /^__VERSION__\s*=\s*["']([\d.]+)/m.exec(text ?? '')?.[1];
        if (version !== undefined) return version;
      }
    }
  }
  return null;
}

/** cloud-init takes the first renderer that is there: eni (ifupdown), sysconfig, then netplan (net/renderers.py). */
function rendersNetplan(files: RootFiles): boolean {
  if (!['/usr/sbin/netplan', '/usr/bin/netplan', '/sbin/netplan'].some((path) => files.isFile(path))) return false;
  const dir = '/etc/cloud/cloud.cfg.d';
  const configs = ['/etc/cloud/cloud.cfg', ...files.list(dir).map((name) => `${dir}/${name}`)];
  const chosen = configs
    .map((path) => /^\s*renderers:\s*(?:\[\s*|\n\s*-\s*)['"]?([\w-]+)/m.exec(files.readText(path) ?? '')?.[1])
    .filter((name) => name !== undefined)
    .at(-1);
  if (chosen !== undefined) return chosen === 'netplan';
  return !['/sbin/ifup', '/usr/sbin/ifup'].some((path) => files.isFile(path));
}

/** A version that cannot be read is taken for a new one. */
function isAtLeast(version: string | null, floor: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version?.split('.').map(Number) ?? [floor[0], floor[1]];
  return major > floor[0] || (major === floor[0] && minor >= floor[1]);
}
