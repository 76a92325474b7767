import type { NicModel } from '../../test/vm/vm-network.ts';

const models: Readonly<Record<string, NicModel>> = {
  virtio: 'virtio-net-pci',
  e1000: 'e1000',
  e1000e: 'e1000e',
  vmxnet3: 'vmxnet3',
  rtl8139: 'rtl8139',
  usb: 'usb-net',
};

const mostCards = 16;

/**
 * Cards from `N[:MODEL,…]`; the last model is that of all that follow.
 * @throws Error that names what means nothing.
 */
export function parseNics(value: string): NicModel[] {
  const [, count = '', list = 'virtio'] = /^(\d{1,2})(?::(.+))?$/.exec(value) ?? [];
  const names = list.split(',');
  if (count === '' || Number(count) > mostCards) {
    throw new Error(`--nics: "${value}" does not begin with a number of cards from 0 to ${mostCards}`);
  }
  if (names.length > Math.max(1, Number(count))) throw new Error(`--nics: "${value}" names more models than cards`);
  const known = names.map((name) => {
    const model = models[name];
    if (model === undefined) throw new Error(`--nics: "${name}" is none of ${Object.keys(models).join(', ')}`);
    return model;
  });
  return Array.from(
    { length: Number(count) },
    (_, index) => known[Math.min(index, known.length - 1)] ?? 'virtio-net-pci',
  );
}
