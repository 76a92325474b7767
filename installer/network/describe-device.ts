import { existsSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What sysfs knows of a network device (Documentation/ABI/testing/sysfs-class-net). */
export interface DeviceFacts {
  readonly driver: string | null;
  /** The network that a management controller offers over USB. */
  readonly isUsbGadget: boolean;
}

// Class drivers, which a controller's own USB network uses; adapters that people plug in have drivers of their own.
const usbClassDrivers = new Set(['cdc_ether', 'rndis_host', 'cdc_ncm', 'cdc_eem', 'cdc_subset']);

/**
 * Facts about a device that stands for hardware: a card, a virtual function, a paravirtual device. Null for what software
 * made (loopback, dummy, bridge, bond, VLAN, veth, tunnels), which has no `device`, and for radios.
 */
export function describeDevice(name: string, sysFolder: string): DeviceFacts | null {
  const folder = join(sysFolder, 'class/net', name);
  const device = join(folder, 'device');
  if (!existsSync(device) || existsSync(join(folder, 'wireless')) || existsSync(join(folder, 'phy80211'))) return null;
  const driver = linkName(join(device, 'driver'));
  return { driver, isUsbGadget: driver !== null && usbClassDrivers.has(driver) && isBelowUsb(device) };
}

/** Mbit/s; null without carrier and where the driver does not say (-1, or an error). */
export function readSpeed(name: string, sysFolder: string): number | null {
  try {
    const speed = Number(readFileSync(join(sysFolder, 'class/net', name, 'speed'), 'utf8'));
    return Number.isInteger(speed) && speed > 0 ? speed : null;
  } catch {
    return null;
  }
}

function linkName(path: string): string | null {
  try {
    return basename(readlinkSync(path));
  } catch {
    return null;
  }
}

function isBelowUsb(device: string): boolean {
  try {
    return /\/usb\d+\//.test(`${realpathSync(device)}/`);
  } catch {
    return false;
  }
}
