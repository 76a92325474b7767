import type { DiskFacts } from '../../../../agent/disk/types.ts';

/** An idle disk, with what a test wants to be different. */
export function diskFacts(facts: Partial<DiskFacts> & { readonly name: string }): DiskFacts {
  return {
    path: `/dev/${facts.name}`,
    devno: '8:0',
    sizeBytes: 500e9,
    sectorBytes: 512,
    readOnly: false,
    removable: false,
    kind: 'disk',
    transport: 'sata',
    model: 'SAMSUNG MZ7LH480',
    serial: `SER-${facts.name}`,
    wwn: null,
    partitions: [],
    users: [],
    ...facts,
  };
}
