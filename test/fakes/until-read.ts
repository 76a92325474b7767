import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { waitFor } from '../resources.ts';

/** Waits until the other end of a connection on this machine has read every byte that was sent to it. */
export async function untilRead(socket: Socket | null): Promise<void> {
  const { localPort, remotePort } = socket ?? {};
  if (localPort === undefined || remotePort === undefined) return;
  await waitFor('the client to read', () => waitingBytes(localPort, remotePort) === 0, {
    timeoutMs: 30_000,
    intervalMs: 5,
  });
}

/** Bytes that this end has sent and the other has not acknowledged, and that the other has and nobody has read. */
function waitingBytes(ownPort: number, peerPort: number): number {
  let bytes = 0;
  // proc_net_tcp(5): sl local_address rem_address st tx_queue:rx_queue, all hexadecimal.
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = /^\s*\d+: \w+:(\w+) \w+:(\w+) \w+ (\w+):(\w+)/.exec(line)?.slice(1);
    const [local, remote, unsent = 0, unread = 0] = (fields ?? []).map((field) => Number.parseInt(field, 16));
    if (local === ownPort && remote === peerPort) bytes += unsent;
    if (local === peerPort && remote === ownPort) bytes += unread;
  }
  return bytes;
}
