import { closeCodes } from '../../protocol/agent-frames.ts';
import type { Inventory } from '../../protocol/inventory.ts';
import { timestampOf } from '../context.ts';
import type { AgentConnection } from './agent-connection.ts';
import type { CommitJob } from './group-commit.ts';

/** Stores an inventory that differs from the stored one; hardware that came or went is an event of the machine. */
export function inventoryJob(connection: AgentConnection, inventory: Inventory, sizeBytes: number): CommitJob {
  const { services, machineUuid = '' } = connection;
  const { db, clock, events } = services.context;
  const text = JSON.stringify(inventory);
  let hasChanged = false;
  const store = (before: unknown): void => {
    db.prepare('UPDATE machines SET inventory = ? WHERE uuid = ?').run(text, machineUuid);
    const changed = typeof before === 'string' ? changedParts(JSON.parse(before) as Inventory, inventory) : [];
    if (changed.length === 0) return;
    db.prepare(
      `INSERT INTO machine_events (machine_uuid, time, kind, message, facts)
       VALUES (?, ?, 'hardware_changed', ?, ?)`,
    ).run(
      machineUuid,
      timestampOf(clock),
      `its hardware has changed: ${changed.join(', ')}`,
      JSON.stringify({ changed }),
    );
  };
  return {
    sizeBytes,
    apply: () => {
      if (!connection.isAccepted) return;
      const row = db.prepare('SELECT inventory FROM machines WHERE uuid = ?').get(machineUuid);
      hasChanged = row !== undefined && row['inventory'] !== text;
      if (hasChanged) store(row?.['inventory']);
    },
    committed: () => {
      if (hasChanged) events.publish({ type: 'machine', uuid: machineUuid });
    },
    failed: () => connection.close(closeCodes.failed, 'the server could not store what was sent'),
  };
}

/** Kernels keep more or less of the memory for themselves (their own size, crashkernel=); no module is as small. */
const kernelMemoryBytes = 512 * 1024 ** 2;

/** What makes each part the same part: names, addresses and carriers change with every boot. */
const identities: Readonly<Record<string, (inventory: Inventory) => unknown>> = {
  cpu: ({ cpu }) => cpu,
  disks: ({ disks }) => disks.map((disk) => [disk.wwn, disk.serial, disk.model, disk.size_bytes].join('|')).sort(),
  nics: ({ nics }) => nics.map(({ mac }) => mac).sort(),
  gpus: ({ gpus }) => gpus.map(({ vendor, device }) => `${vendor}|${device}`).sort(),
};

function changedParts(before: Inventory, after: Inventory): string[] {
  const changed = Object.entries(identities)
    .filter(([, identity]) => JSON.stringify(identity(before)) !== JSON.stringify(identity(after)))
    .map(([name]) => name);
  const { memory_bytes: had } = before;
  const { memory_bytes: has } = after;
  const hasOtherMemory = had === null || has === null ? had !== has : Math.abs(had - has) > kernelMemoryBytes;
  return hasOtherMemory ? [...changed, 'memory'] : changed;
}
