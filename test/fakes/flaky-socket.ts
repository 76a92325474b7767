import { connect, createServer, type Socket } from 'node:net';
import type { Resources } from '../resources.ts';

export interface FlakySocket {
  /** `127.0.0.1:PORT`, in place of the server's. */
  readonly host: string;
  /** Connections so far. */
  readonly connections: () => number;
  /** Ends all connections now, by a reset. */
  cut(): void;
  /** From now on every connection is reset after so many bytes in either direction; null: none is. */
  cutAfter(bytes: (() => number) | null): void;
}

/** A relay in front of a server on 127.0.0.1 that breaks connections when a test says so. */
export async function startFlakySocket(resources: Resources, port: number): Promise<FlakySocket> {
  const open = new Set<Socket>();
  let count = 0;
  let limit: (() => number) | null = null;
  const server = createServer((client) => {
    count += 1;
    let left = limit?.() ?? Number.POSITIVE_INFINITY;
    const upstream = connect(port, '127.0.0.1');
    const end = (): void => {
      for (const socket of [client, upstream]) {
        open.delete(socket);
        if (!socket.destroyed) socket.resetAndDestroy();
      }
    };
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.on('error', end).on('close', end);
      from.on('data', (chunk: Buffer) => {
        const passing = chunk.subarray(0, Math.max(0, left));
        left -= chunk.length;
        if (passing.length > 0) to.write(passing);
        if (left <= 0) end();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  resources.defer('close a flaky socket', async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    cut();
    await closed;
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the relay has no address');
  return {
    host: `127.0.0.1:${address.port}`,
    connections: () => count,
    cut,
    cutAfter: (bytes) => {
      limit = bytes;
    },
  };
}
