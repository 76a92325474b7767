import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKernelConfig } from '../../../../../scripts/build/kernel/read-kernel-config.ts';

/** Words of issue 4 and the options that they mean. */
const namedInTheIssue: Readonly<Record<string, string>> = {
  'AWS ENA': 'ENA_ETHERNET',
  NVMe: 'BLK_DEV_NVME',
  'GCP gVNIC': 'GVE',
  'Azure Hyper-V': 'HYPERV',
  'netvsc, storvsc, framebuffer, keyboard': 'HYPERV_NET HYPERV_STORAGE FB_HYPERV HYPERV_KEYBOARD',
  'VMware (vmxnet3, pvscsi)': 'VMXNET3 VMWARE_PVSCSI',
  'virtio (net, blk, scsi, console, rng)':
    'VIRTIO_PCI VIRTIO_NET VIRTIO_BLK SCSI_VIRTIO VIRTIO_CONSOLE HW_RANDOM_VIRTIO',
  'Xen front ends':
    'XEN_BLKDEV_FRONTEND XEN_NETDEV_FRONTEND XEN_SCSI_FRONTEND XEN_FBDEV_FRONTEND INPUT_XEN_KBDDEV_FRONTEND HVC_XEN_FRONTEND',
  'AHCI, mpt3sas, megaraid_sas, hpsa, smartpqi, aacraid':
    'SATA_AHCI SCSI_MPT3SAS MEGARAID_SAS SCSI_HPSA SCSI_SMARTPQI SCSI_AACRAID',
  'Intel e1000e/igb/igc/ixgbe/i40e/ice': 'E1000E IGB IGC IXGBE I40E ICE',
  'Broadcom tg3/bnxt': 'TIGON3 BNXT',
  'Mellanox mlx4/mlx5': 'MLX4_EN MLX5_CORE MLX5_CORE_EN',
  'r8169, QLogic, Chelsio': 'R8169 QED QEDE QLCNIC NETXEN_NIC CHELSIO_T3 CHELSIO_T4 CHELSIO_T4VF',
  'USB storage/HID/net': 'USB_STORAGE USB_UAS USB_HID USB_USBNET USB_NET_CDCETHER USB_NET_CDC_NCM USB_NET_RNDIS_HOST',
  'VLAN, bonding, IPv6': 'VLAN_8021Q BONDING IPV6',
  'ext4, xfs, btrfs, vfat, ISO9660, squashfs': 'EXT4_FS XFS_FS BTRFS_FS VFAT_FS ISO9660_FS SQUASHFS SQUASHFS_ZSTD',
  'loop, md, dm': 'BLK_DEV_LOOP BLK_DEV_MD MD_RAID0 MD_RAID1 MD_RAID10 MD_RAID456 BLK_DEV_DM',
  'EFI stub, efivarfs': 'EFI_STUB EFIVAR_FS',
  'simple framebuffer and VGA console': 'FB_SIMPLE FB_EFI VGA_CONSOLE FRAMEBUFFER_CONSOLE',
  'serial (8250, SPCR)': 'SERIAL_8250 SERIAL_8250_CONSOLE ACPI_SPCR_TABLE',
  'kexec (both system calls)': 'KEXEC KEXEC_FILE',
  watchdogs: 'WATCHDOG ITCO_WDT SP5100_TCO HP_WATCHDOG WDAT_WDT I6300ESB_WDT IPMI_WATCHDOG SOFT_WATCHDOG',
  'pstore, IPMI, TPM':
    'PSTORE EFI_VARS_PSTORE IPMI_HANDLER IPMI_SI IPMI_SSIF IPMI_DEVICE_INTERFACE TCG_TPM TCG_TIS TCG_CRB',
  'hardware clocks, RNG': 'RTC_CLASS RTC_DRV_CMOS RTC_HCTOSYS HW_RANDOM HW_RANDOM_INTEL HW_RANDOM_AMD',
};

const leftOut = {
  'no modules': 'MODULES',
  'CONFIG_IP_PNP must be off': 'IP_PNP',
  'Left out: sound, wireless, GPU drivers': 'SOUND WIRELESS WLAN DRM',
};

const { fragments, required } = readKernelConfig();
const requiredValues = new Map(required.map(({ name, value }) => [name, value]));

for (const [words, options] of Object.entries(namedInTheIssue)) {
  test(`required: ${words}`, () => {
    for (const option of options.split(' ')) assert.equal(requiredValues.get(`CONFIG_${option}`), 'y', option);
  });
}

for (const [words, options] of Object.entries(leftOut)) {
  test(`required: ${words}`, () => {
    for (const option of options.split(' ')) assert.equal(requiredValues.get(`CONFIG_${option}`), 'n', option);
  });
}

test('every required option is asked for by a fragment, with the same value', () => {
  const asked = new Map(fragments.map(({ name, value }) => [name, value]));
  const differing = required.filter(({ name, value }) => asked.get(name) !== value);
  assert.deepEqual(
    differing.map(({ name }) => name),
    [],
  );
});

test('F27 consoles do not show the level on which the kernel prints its command line (notice, 5)', () => {
  assert.equal(requiredValues.get('CONFIG_CONSOLE_LOGLEVEL_DEFAULT'), '5');
});
