import { parse } from 'yaml';
import { type CloudInitFacts, readCloudInitFacts } from './cloud-init-facts.ts';
import { coveringMount } from './mount-table.ts';
import {
  cloudYaml,
  type LinkDescription,
  networkConfigForAnyLink,
  networkConfigFromLink,
} from './network-config-from-link.ts';
import { RootFiles } from './root-files.ts';
import { isNetworkDisabled } from './scrub-identity.ts';

export interface CloudInitSeed {
  readonly root: string;
  /** Becomes the instance-id, so that a re-provision runs cloud-init anew. */
  readonly provisionUuid: string;
  readonly hostname: string | null;
  /** Documents as given, already checked by `assertCloudDocuments`. */
  readonly userData: string | null;
  readonly metaData: string | null;
  readonly vendorData: string | null;
  readonly networkConfig: string | null;
  /** The link that worked in the installer; null where the machine is not known. */
  readonly link: LinkDescription | null;
}

export interface SeedResult {
  readonly cloudInit: 'present' | 'absent';
  readonly warnings: readonly string[];
}

const seedDir = '/var/lib/cloud/seed/nocloud';
const configDir = '/etc/cloud/cloud.cfg.d';
const pinName = '99_durantic.cfg';
const emptyConfig = '#cloud-config\n{}\n';

/** One line, flow style: cloud-init's ds-identify, which runs before any YAML parser, reads no other form. */
const pin = `# Written by durantic: only the seed in ${seedDir}, no network is asked for a datasource.
datasource_list: [NoCloud, None]
`;

/**
 * Writes the NoCloud seed and pins the datasource to it (provisioning.md, "Cloud-init"; failure row F51): without the
 * pin the first boot asks EC2's address for two minutes. An image without cloud-init gets the seed all the same.
 * @throws ProvisionError `root_full`, `device_io`.
 */
export function writeCloudInitSeed(seed: CloudInitSeed): SeedResult {
  const files = new RootFiles(seed.root);
  const facts = readCloudInitFacts(files);
  const warnings = [...obstacles(files, facts)];
  files.remove('/etc/cloud/cloud-init.disabled');
  for (const name of files.list('/var/lib/cloud').filter((name) => name.startsWith('instance'))) {
    files.remove(`/var/lib/cloud/${name}`);
  }
  files.remove(seedDir);
  files.makeDir(seedDir, 0o700);
  files.write(`${seedDir}/user-data`, seed.userData ?? emptyConfig, 0o600);
  files.write(`${seedDir}/vendor-data`, seed.vendorData ?? emptyConfig, 0o600);
  files.write(`${seedDir}/meta-data`, metaData(seed), 0o600);
  const network = networkConfig(seed, facts);
  if (network !== null) files.write(`${seedDir}/network-config`, network, 0o600);
  files.write(`${configDir}/${pinName}`, pin, 0o600);
  return { cloudInit: facts === null ? 'absent' : 'present', warnings };
}

/** The given meta-data; instance-id is always ours, and a hostname that was asked for wins. */
function metaData(seed: CloudInitSeed): string {
  const given: unknown = seed.metaData === null ? {} : parse(seed.metaData, { version: '1.1', uniqueKeys: false });
  const values = typeof given === 'object' && given !== null ? given : {};
  return cloudYaml({
    ...values,
    'instance-id': seed.provisionUuid,
    ...(seed.hostname === null ? {} : { 'local-hostname': seed.hostname }),
  });
}

/**
 * Null = no file: cloud-init then asks for DHCP on the link that has a carrier. That is the better choice for an image
 * that does not render netplan, where a match by name becomes a device of that name (tried with cloud-init 22.4.2).
 */
function networkConfig(seed: CloudInitSeed, facts: CloudInitFacts | null): string | null {
  if (seed.networkConfig !== null) return seed.networkConfig;
  if (seed.link !== null) return networkConfigFromLink(seed.link, { setName: needsSetName(seed.link, facts) });
  return facts === null || facts.rendersNetplan ? networkConfigForAnyLink() : null;
}

/**
 * Netplan looks up what a VLAN's `link` means; cloud-init's other renderers (ifupdown's, sysconfig) write it down as the
 * device's name, so that the device must be called so.
 */
function needsSetName(link: LinkDescription, facts: CloudInitFacts | null): boolean {
  if (facts === null) return false;
  return !facts.findsLinkByMac || (link.vlanId !== null && !facts.rendersNetplan);
}

/** What in the image will keep the seed from being used. */
function obstacles(files: RootFiles, facts: CloudInitFacts | null): string[] {
  if (facts === null) return ['the image has no cloud-init: user-data, hostname and network settings are not applied'];
  const warnings: string[] = [];
  const mount = coveringMount(files, seedDir);
  if (mount !== null) warnings.push(`the image mounts another filesystem on ${mount}, which will hide the seed`);
  for (const name of files.list(configDir).filter((name) => name.endsWith('.cfg') && name > pinName)) {
    const text = files.readText(`${configDir}/${name}`) ?? '';
    if (/^\s*datasource_list\s*:/m.test(text)) {
      warnings.push(`${configDir}/${name} of the image overrides the datasource: cloud-init may not use the seed`);
    }
  }
  const units = ['cloud-init.service', 'cloud-init-main.service', 'cloud-init-local.service', 'cloud-init.target'];
  for (const unit of units.filter((unit) => isMasked(files, unit))) {
    warnings.push(`${unit} is masked in the image: cloud-init will not run`);
  }
  if (isNetworkDisabled(files)) {
    warnings.push('the image tells cloud-init to leave the network alone: the network-config is not applied');
  }
  return warnings;
}

function isMasked(files: RootFiles, unit: string): boolean {
  const path = `/etc/systemd/system/${unit}`;
  return (
    files.lstat(path)?.isSymbolicLink() === true &&
    files.hostPath(path, { followLast: true }) === files.hostPath('/dev/null')
  );
}
