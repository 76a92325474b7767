export type NicModel = 'virtio-net-pci' | 'e1000' | 'e1000e' | 'vmxnet3' | 'rtl8139' | 'usb-net';

/** One network card of a guest, and what its cable leads to. */
export interface VmNetwork {
  /**
   * `user` (default): a network of QEMU's own with DHCP, in which the host is 10.0.2.2. `nothing`: a switch on which
   * nobody else is. `tap`: a device in the network namespace that QEMU runs in.
   */
  readonly backend?: 'user' | 'nothing' | { readonly tap: string };
  /** True: no packet leaves QEMU; the guest still gets an address by DHCP. */
  readonly restrict?: boolean;
  readonly hostForwards?: readonly { readonly hostPort: number; readonly guestPort: number }[];
  /** Guest address and port → command on the host whose stdin and stdout are the connection. */
  readonly guestForwards?: readonly { readonly address: string; readonly port: number; readonly command: string }[];
  /** Default `virtio-net-pci`. `usb-net` is how a management controller's network looks (CDC Ethernet). */
  readonly model?: NicModel;
  readonly mac?: string;
  /** Keeps the card's boot ROM, for network boot; otherwise the firmware never tries the network. */
  readonly hasBootRom?: boolean;
  /** Order in which the firmware tries it, as for disks. */
  readonly bootIndex?: number;
  /** What DHCP names as file to boot: a URL, or a file of `tftpDir`. */
  readonly bootFile?: string;
  /** Folder that QEMU's TFTP server offers. */
  readonly tftpDir?: string;
  /** Further parameters of `-netdev user`. */
  readonly extra?: string;
}

/** The card number `index` (`nicN` in QMP, its cable `netN`) and what it is connected to. */
export function networkArguments(network: VmNetwork, index: number): string[] {
  const model = network.model ?? 'virtio-net-pci';
  const device = [model, `netdev=net${index}`, `id=nic${index}`];
  if (network.mac !== undefined) device.push(`mac=${network.mac}`);
  if (network.bootIndex !== undefined) device.push(`bootindex=${network.bootIndex}`);
  const netdev = ['-netdev', backendOf(network, index)];
  if (model === 'usb-net') {
    return [
      ...netdev,
      '-device',
      `qemu-xhci,id=nic${index}-bus`,
      '-device',
      [...device, `bus=nic${index}-bus.0`].join(),
    ];
  }
  if (network.hasBootRom !== true) device.push('romfile=');
  return [...netdev, '-device', device.join(',')];
}

function backendOf(network: VmNetwork, index: number): string {
  const { backend = 'user' } = network;
  if (backend === 'nothing') return `hubport,id=net${index},hubid=${index}`;
  if (backend !== 'user') return `tap,id=net${index},ifname=${backend.tap},script=no,downscript=no`;
  const netdev = ['user', `id=net${index}`, `restrict=${network.restrict ? 'on' : 'off'}`];
  for (const { hostPort, guestPort } of network.hostForwards ?? []) {
    netdev.push(`hostfwd=tcp:127.0.0.1:${hostPort}-:${guestPort}`);
  }
  for (const { address, port, command } of network.guestForwards ?? []) {
    netdev.push(`guestfwd=tcp:${address}:${port}-cmd:${escaped(command)}`);
  }
  if (network.tftpDir !== undefined) netdev.push(`tftp=${escaped(network.tftpDir)}`);
  if (network.bootFile !== undefined) netdev.push(`bootfile=${escaped(network.bootFile)}`);
  if (network.extra !== undefined) netdev.push(network.extra);
  return netdev.join(',');
}

/** A comma inside a value of QEMU's option syntax is written twice. */
export function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
