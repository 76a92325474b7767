import { rm } from 'node:fs/promises';
import { errnoOf } from '../../core/base/errors.ts';
import { readDisk } from '../hardware/read-disk.ts';
import { native } from '../native/load-native.ts';
import { retryBusy } from './retry-busy.ts';
import type { DiskContext, OpenTarget } from './types.ts';

export interface ForgetOptions {
  readonly log: DiskContext['log'];
  /** All partitions that the kernel knows of; otherwise only those that were registered. */
  readonly all: boolean;
}

/**
 * Makes the kernel forget partitions of a disk (BLKPG), and takes away nodes that we made. Nothing on the disk changes.
 * Not abortable: it belongs to clean-up.
 * @returns the numbers that were forgotten.
 * @throws ProvisionError `disk_busy` naming who has one of them open.
 */
export async function forgetPartitions(
  target: Pick<OpenTarget, 'path' | 'fd' | 'registered'>,
  options: ForgetOptions,
): Promise<number[]> {
  const known = options.all ? (await readDisk(target.path)).partitions.map((partition) => partition.number) : [];
  const ctx = { log: options.log, signal: new AbortController().signal };
  const forgotten: number[] = [];
  for (const number of new Set([...target.registered.keys(), ...known])) {
    const forget = (): boolean => deletePartition(target.fd, number);
    const what = `forgetting partition ${number} of ${target.path}`;
    if (await retryBusy(forget, { path: target.path, what, attempts: 10 }, ctx)) forgotten.push(number);
    const node = target.registered.get(number);
    if (node) await rm(node, { force: true });
    target.registered.delete(number);
  }
  return forgotten;
}

/** False when the kernel knew of no such partition. */
function deletePartition(fd: number, number: number): boolean {
  try {
    native.blkpgDelete(fd, number);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENXIO') return false;
    throw error;
  }
}
