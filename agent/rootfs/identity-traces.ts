/** One trace of a machine's identity in a root filesystem. `NAME` parts may hold `*` for any run of characters. */
export interface IdentityTrace {
  /** Folder, absolute in the root filesystem. */
  readonly dir: string;
  /** File names in it; `*` matches within one name. */
  readonly names: readonly string[];
  readonly what: string;
}

/**
 * What a golden image must not carry from one machine to the next, and what its programs make anew when it is gone.
 * Collected from virt-sysprep(1), `cloud-init clean`, systemd's "Safely Building Images" and the programs' manuals.
 */
export const identityTraces: readonly IdentityTrace[] = [
  { dir: '/etc/ssh', names: ['ssh_host_*_key', 'ssh_host_*_key.pub', 'ssh_host_*_key-cert.pub'], what: 'ssh host key' },
  { dir: '/etc/ssh', names: ['ssh_host_key', 'ssh_host_key.pub'], what: 'ssh host key' },
  { dir: '/etc/dropbear', names: ['dropbear_*_host_key'], what: 'ssh host key' },
  { dir: '/var/lib/systemd', names: ['random-seed'], what: 'random seed' },
  { dir: '/var/lib/urandom', names: ['random-seed'], what: 'random seed' },
  { dir: '/var/lib', names: ['random-seed'], what: 'random seed' },
  { dir: '/var/lib/misc', names: ['random-seed'], what: 'random seed' },
  { dir: '/boot/loader', names: ['random-seed'], what: 'random seed' },
  { dir: '/boot/efi/loader', names: ['random-seed'], what: 'random seed' },
  { dir: '/efi/loader', names: ['random-seed'], what: 'random seed' },
  // Encrypts systemd credentials; a copy of it opens those of every clone.
  { dir: '/var/lib/systemd', names: ['credential.secret'], what: 'credential key' },
  { dir: '/var/lib/cloud', names: ['instance', 'instances', 'data', 'sem'], what: 'cloud-init state' },
  { dir: '/var/log', names: ['cloud-init.log', 'cloud-init-output.log'], what: 'cloud-init state' },
  { dir: '/var/lib/dhcp', names: ['*.leases', '*.lease', '*.leases~'], what: 'DHCP lease' },
  { dir: '/var/lib/dhclient', names: ['*.leases', '*.lease'], what: 'DHCP lease' },
  { dir: '/var/lib/dhcpcd', names: ['*.lease', '*.lease6', 'duid', 'secret'], what: 'DHCP lease' },
  { dir: '/var/lib/dhcpcd5', names: ['*.lease', '*.lease6', 'duid', 'secret'], what: 'DHCP lease' },
  { dir: '/var/db/dhcpcd', names: ['*.lease', '*.lease6', 'duid', 'secret'], what: 'DHCP lease' },
  { dir: '/etc', names: ['dhcpcd.duid', 'dhcpcd.secret'], what: 'DHCP identifier' },
  { dir: '/var/lib/wicked', names: ['duid.xml', 'iaid.xml', 'lease-*.xml'], what: 'DHCP lease' },
  { dir: '/var/lib/NetworkManager', names: ['*.lease', 'timestamps', 'seen-bssids'], what: 'DHCP lease' },
  { dir: '/var/lib/NetworkManager', names: ['secret_key'], what: 'address secret' },
  { dir: '/etc/udev/rules.d', names: ['70-persistent-net.rules', '70-persistent-cd.rules'], what: 'udev device name' },
  { dir: '/etc/nvme', names: ['hostnqn', 'hostid'], what: 'NVMe host name' },
  { dir: '/etc', names: ['hostid'], what: 'host id' },
  // Lists the build machine's disks; LVM then refuses those of every other machine.
  { dir: '/etc/lvm/devices', names: ['system.devices'], what: 'LVM device list' },
  { dir: '/etc/pki/consumer', names: ['*.pem'], what: 'subscription' },
  { dir: '/etc/pki/entitlement', names: ['*.pem'], what: 'subscription' },
  { dir: '/etc/sysconfig/rhn', names: ['systemid'], what: 'subscription' },
  {
    dir: '/var/lib/durantic',
    names: ['identity.json', 'provision.json', 'commands.json', 'outbox'],
    what: 'durantic identity',
  },
];

/** The file that systemd-boot and bootctl keep on the EFI system partition. */
export const espRandomSeed = '/loader/random-seed';

/** iSCSI names that installation scripts generate; another prefix was chosen by a person and stays. */
export const generatedIscsiPrefixes: readonly string[] = [
  'iqn.1993-08.org.debian:01:',
  'iqn.2004-10.com.ubuntu:01:',
  'iqn.1994-05.com.redhat:',
  'iqn.1988-12.com.oracle:',
  'iqn.1996-04.de.suse:01:',
  'iqn.2005-03.org.open-iscsi:',
  'iqn.2016-04.com.open-iscsi:',
];
