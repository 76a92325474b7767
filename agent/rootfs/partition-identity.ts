import type { FilesystemFacts } from '../disk/probe-filesystem.ts';
import type { GptPartition } from '../disk/types.ts';
import type { PartitionIdentity } from './types.ts';

/** What boot configurations may name a partition by. @param filesystem Null: none that we know. */
export function partitionIdentity(partition: GptPartition, filesystem: FilesystemFacts | null): PartitionIdentity {
  return {
    number: partition.number,
    typeGuid: partition.typeGuid,
    partUuid: partition.uniqueGuid,
    partLabel: partition.name === '' ? null : partition.name,
    fsUuid: filesystem?.uuid ?? null,
    fsLabel: filesystem?.label ?? null,
    fsType: filesystem?.type ?? null,
  };
}
