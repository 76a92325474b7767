/** A driver that is built in, as docs/hardware.md shows it. */
export interface Driver {
  /** Without CONFIG_. */
  readonly option: string;
  /** As the kernel names it, with `_`. */
  readonly module: string;
  readonly hardware: string;
  /** The driver asks for firmware, and the installer brings it: which part of its hardware needs it, and for what. */
  readonly firmware?: string;
  /** QEMU's device for it; test/vm/kernel-drivers.test.ts boots it. */
  readonly qemu?: string;
}

export type DriverGroup = 'network' | 'virtual network' | 'USB network' | 'storage' | 'virtual storage' | 'platform';

type Row = readonly [option: string, module: string, hardware: string, more?: Pick<Driver, 'firmware' | 'qemu'>];

const rows: Readonly<Record<DriverGroup, readonly Row[]>> = {
  network: [
    [
      'E100',
      'e100',
      'Intel 8255x, 100 Mbit/s',
      { firmware: 'some 82551/82558/82559: fewer interrupts', qemu: 'i82559a' },
    ],
    ['E1000', 'e1000', 'Intel 8254x, 1 Gbit/s; VirtualBox, VMware', { qemu: 'e1000' }],
    ['E1000E', 'e1000e', 'Intel 8257x, 8258x, I217–I219, 1 Gbit/s', { qemu: 'e1000e' }],
    ['IGB', 'igb', 'Intel 82575, 82576, I210, I211, I350, I354, 1 Gbit/s'],
    ['IGBVF', 'igbvf', 'virtual functions of igb adapters'],
    ['IGC', 'igc', 'Intel I225, I226, 2.5 Gbit/s'],
    ['IXGBE', 'ixgbe', 'Intel 82598, 82599, X520, X540, X550, X553, E610, 10 Gbit/s'],
    ['IXGBEVF', 'ixgbevf', 'virtual functions of ixgbe adapters (older EC2 instances)'],
    ['I40E', 'i40e', 'Intel X710, XL710, XXV710, X722, 10–40 Gbit/s'],
    ['IAVF', 'iavf', 'virtual functions of i40e and ice adapters'],
    [
      'ICE',
      'ice',
      'Intel E810, E822, E823, E830, 10–200 Gbit/s',
      { firmware: 'all (DDP package): more than one queue' },
    ],
    ['IDPF', 'idpf', 'Intel E2000 (Google C3 metal)'],
    ['TIGON3', 'tg3', 'Broadcom NetXtreme BCM57xx, BCM5719, BCM5720', { firmware: 'BCM5701 A0, 5703–5705, 57766' }],
    ['BNX2', 'bnx2', 'Broadcom NetXtreme II BCM5706–5716', { firmware: 'all: no link without it' }],
    ['BNX2X', 'bnx2x', 'Broadcom and QLogic BCM57710–57840, 10–20 Gbit/s', { firmware: 'all: no link without it' }],
    ['BNXT', 'bnxt_en', 'Broadcom BCM573xx–576xx, 10–400 Gbit/s'],
    ['MLX4_EN', 'mlx4_en', 'NVIDIA Mellanox ConnectX-3, ConnectX-3 Pro'],
    ['MLX5_CORE_EN', 'mlx5_core', 'NVIDIA Mellanox ConnectX-4 to ConnectX-8, BlueField; Azure, Oracle'],
    [
      'QEDE',
      'qede',
      'Marvell QLogic FastLinQ QL4xxxx (with qed)',
      { firmware: 'all (asked for by qed): no link without it' },
    ],
    ['QLCNIC', 'qlcnic', 'QLogic 8200, 8300 series'],
    ['NETXEN_NIC', 'netxen_nic', 'QLogic 3000 series (NetXen)'],
    ['CHELSIO_T3', 'cxgb3', 'Chelsio T3, 10 Gbit/s', { firmware: 'protocol memory and some SFP+ modules' }],
    ['CHELSIO_T4', 'cxgb4', 'Chelsio T4, T5, T6, 10–100 Gbit/s'],
    ['CHELSIO_T4VF', 'cxgb4vf', 'virtual functions of cxgb4 adapters'],
    ['BE2NET', 'be2net', 'Emulex OneConnect'],
    ['ENIC', 'enic', 'Cisco UCS virtual interface cards'],
    ['SFC', 'sfc', 'Solarflare SFN7000, SFN8000, X2, Alveo X3'],
    ['AMD_XGBE', 'amd_xgbe', 'AMD EPYC Embedded, Ryzen Embedded, 10 Gbit/s'],
    ['IONIC', 'ionic', 'AMD Pensando DSC'],
    ['HINIC', 'hinic', 'Huawei IN200'],
    ['NGBE', 'ngbe', 'Wangxun WX1860, 1 Gbit/s'],
    [
      'R8169',
      'r8169',
      'Realtek RTL8110–8168, 8125, 8126, 8127',
      { firmware: 'most: a patch of the PHY, usually works without' },
    ],
    ['8139CP', '8139cp', 'Realtek RTL8139C+', { qemu: 'rtl8139' }],
    ['8139TOO', '8139too', 'Realtek RTL8139'],
    ['AQTION', 'atlantic', 'Marvell Aquantia AQC1xx, 10 Gbit/s'],
    ['SKY2', 'sky2', 'Marvell Yukon 2'],
    ['FORCEDETH', 'forcedeth', 'NVIDIA nForce'],
    ['ALX', 'alx', 'Qualcomm Atheros AR816x, Killer'],
    ['ATL1C', 'atl1c', 'Qualcomm Atheros AR813x, AR815x'],
    ['TULIP', 'tulip', 'DEC 21140; Hyper-V generation 1 legacy adapter', { qemu: 'tulip' }],
    ['PCNET32', 'pcnet32', 'AMD PCnet; old VMware, VirtualBox', { qemu: 'pcnet' }],
  ],
  'virtual network': [
    ['VIRTIO_NET', 'virtio_net', 'KVM, QEMU, many clouds', { qemu: 'virtio-net-pci' }],
    ['ENA_ETHERNET', 'ena', 'Amazon EC2'],
    ['GVE', 'gve', 'Google Compute Engine (gVNIC)'],
    ['HYPERV_NET', 'hv_netvsc', 'Microsoft Hyper-V and Azure'],
    ['MICROSOFT_MANA', 'mana', 'Azure (MANA)'],
    ['VMXNET3', 'vmxnet3', 'VMware', { qemu: 'vmxnet3' }],
    ['XEN_NETDEV_FRONTEND', 'xen_netfront', 'Xen, older EC2 instances'],
  ],
  'USB network': [
    ['USB_NET_CDCETHER', 'cdc_ether', 'CDC Ethernet: management controllers, adapters', { qemu: 'usb-net' }],
    ['USB_NET_CDC_NCM', 'cdc_ncm', 'CDC NCM: management controllers, adapters'],
    ['USB_NET_RNDIS_HOST', 'rndis_host', 'RNDIS: management controllers'],
    ['USB_NET_AX8817X', 'asix', 'ASIX AX88172, AX88772'],
    ['USB_NET_AX88179_178A', 'ax88179_178a', 'ASIX AX88178A, AX88179'],
    ['USB_NET_SMSC95XX', 'smsc95xx', 'SMSC LAN95xx'],
    ['USB_RTL8150', 'rtl8150', 'Realtek RTL8150'],
    ['USB_RTL8152', 'r8152', 'Realtek RTL8152–8157', { firmware: 'most: a patch, usually works without' }],
    ['USB_LAN78XX', 'lan78xx', 'Microchip LAN78xx'],
  ],
  storage: [
    ['BLK_DEV_NVME', 'nvme', 'NVMe; also EC2, Google, Azure', { qemu: 'nvme' }],
    ['VMD', 'vmd', 'NVMe behind Intel VMD'],
    ['SATA_AHCI', 'ahci', 'SATA on nearly every board', { qemu: 'ich9-ahci' }],
    ['ATA_PIIX', 'ata_piix', 'Intel IDE and SATA in IDE mode; virtual machines of type pc'],
    ['ATA_GENERIC', 'ata_generic', 'other IDE controllers'],
    ['PATA_AMD', 'pata_amd', 'AMD and NVIDIA IDE'],
    ['PATA_OLDPIIX', 'pata_oldpiix', 'the first Intel PIIX'],
    ['SATA_MV', 'sata_mv', 'Marvell 50xx, 60xx, 7042'],
    ['SATA_NV', 'sata_nv', 'NVIDIA nForce'],
    ['SCSI_MPT3SAS', 'mpt3sas', 'Broadcom SAS2, SAS3, SAS3.5 adapters; Dell HBA330, H310 in IT mode'],
    ['SCSI_MPI3MR', 'mpi3mr', 'Broadcom SAS4 (96xx); Dell PERC 12'],
    ['MEGARAID_SAS', 'megaraid_sas', 'Broadcom MegaRAID; Dell PERC 5 to 11, Lenovo, Cisco', { qemu: 'megasas-gen2' }],
    ['SCSI_HPSA', 'hpsa', 'HPE Smart Array P2xx–P8xx, H2xx'],
    ['SCSI_SMARTPQI', 'smartpqi', 'Microchip SmartRAID, SmartHBA; HPE P408 to MR-class, Gen10 and later'],
    ['SCSI_AACRAID', 'aacraid', 'Adaptec series 2 to 8'],
    ['SCSI_ARCMSR', 'arcmsr', 'Areca'],
    ['SCSI_ISCI', 'isci', 'Intel C600 SAS'],
    ['SCSI_PM8001', 'pm80xx', 'Microchip PM8001–8077; Adaptec 6H to 8H'],
    ['SCSI_MVSAS', 'mvsas', 'Marvell 64xx, 94xx'],
    ['SCSI_3W_SAS', '3w_sas', '3ware 9750'],
    ['SCSI_STEX', 'stex', 'Promise SuperTrak EX'],
    // QEMU's mptsas1068 does not answer the driver's bring-up, so it shows nothing.
    ['FUSION_SAS', 'mptsas', 'LSI SAS1064, SAS1068; Dell SAS 5, SAS 6; VMware'],
    ['FUSION_SPI', 'mptspi', 'LSI Ultra320 SCSI; VMware (LSI Logic parallel)'],
    ['SCSI_SYM53C8XX_2', 'sym53c8xx', 'LSI 53C8xx SCSI', { qemu: 'lsi53c895a' }],
    [
      'USB_STORAGE',
      'usb_storage',
      'USB disks, sticks, virtual media of management controllers',
      { qemu: 'usb-storage' },
    ],
    ['USB_UAS', 'uas', 'USB attached SCSI', { qemu: 'usb-uas' }],
    ['MMC_SDHCI_PCI', 'sdhci_pci', 'SD cards and eMMC on PCI', { qemu: 'sdhci-pci' }],
    ['MMC_SDHCI_ACPI', 'sdhci_acpi', 'SD cards and eMMC that ACPI names'],
  ],
  'virtual storage': [
    ['VIRTIO_BLK', 'virtio_blk', 'KVM, QEMU, many clouds', { qemu: 'virtio-blk-pci' }],
    ['SCSI_VIRTIO', 'virtio_scsi', 'KVM, QEMU, Google, Oracle', { qemu: 'virtio-scsi-pci' }],
    ['HYPERV_STORAGE', 'hv_storvsc', 'Microsoft Hyper-V and Azure'],
    ['VMWARE_PVSCSI', 'vmw_pvscsi', 'VMware', { qemu: 'pvscsi' }],
    ['SCSI_BUSLOGIC', 'BusLogic', 'old VMware'],
    ['XEN_BLKDEV_FRONTEND', 'xen_blkfront', 'Xen, older EC2 instances'],
    ['XEN_SCSI_FRONTEND', 'xen_scsifront', 'Xen'],
  ],
  platform: [
    ['USB_XHCI_HCD', 'xhci_hcd', 'USB 3', { qemu: 'qemu-xhci' }],
    ['USB_EHCI_HCD', 'ehci_pci', 'USB 2', { qemu: 'usb-ehci' }],
    ['USB_UHCI_HCD', 'uhci_hcd', 'USB 1.1 (Intel, VIA)', { qemu: 'piix3-usb-uhci' }],
    ['USB_OHCI_HCD', 'ohci_pci', 'USB 1.1 (others)', { qemu: 'pci-ohci' }],
    ['USB_HID', 'usbhid', 'USB keyboards, virtual keyboards of management controllers', { qemu: 'usb-kbd' }],
    ['SERIO_I8042', 'i8042', 'PS/2 keyboards', { qemu: 'PS/2 of the board' }],
    ['HYPERV_KEYBOARD', 'hyperv_keyboard', 'Hyper-V keyboard'],
    ['FB_HYPERV', 'hyperv_fb', 'Hyper-V screen'],
    ['INPUT_XEN_KBDDEV_FRONTEND', 'xen_kbdfront', 'Xen keyboard'],
    ['XEN_FBDEV_FRONTEND', 'xen_fbfront', 'Xen screen'],
    ['VIRTIO_CONSOLE', 'virtio_console', 'serial lines of virtual machines', { qemu: 'virtio-serial-pci' }],
    ['HW_RANDOM_VIRTIO', 'virtio_rng', 'random numbers of virtual machines', { qemu: 'virtio-rng-pci' }],
    ['I6300ESB_WDT', 'i6300esb', 'watchdog of the Intel 6300ESB', { qemu: 'i6300esb' }],
    ['ITCO_WDT', 'iTCO_wdt', 'watchdog of Intel chipsets', { qemu: 'ICH9 of the board' }],
    ['SP5100_TCO', 'sp5100_tco', 'watchdog of AMD chipsets'],
    ['HP_WATCHDOG', 'hpwdt', 'watchdog of HPE iLO'],
    ['WDAT_WDT', 'wdat_wdt', 'watchdog that ACPI describes'],
    ['IPMI_SI', 'ipmi_si', 'management controllers (KCS, BT, SMIC)', { qemu: 'isa-ipmi-kcs' }],
    ['IPMI_SSIF', 'ipmi_ssif', 'management controllers on SMBus'],
    ['TCG_TIS', 'tpm_tis', 'TPM 1.2 and 2.0 (TIS, FIFO)'],
    ['TCG_CRB', 'tpm_crb', 'TPM 2.0 (CRB, firmware TPM)'],
  ],
};

export const driverGroups = Object.keys(rows) as DriverGroup[];

/** The drivers of a group, in the order of the document. */
export function driversOf(group: DriverGroup): Driver[] {
  return rows[group].map(([option, module, hardware, more]) => ({ option, module, hardware, ...more }));
}

export const drivers: readonly Driver[] = driverGroups.flatMap(driversOf);
