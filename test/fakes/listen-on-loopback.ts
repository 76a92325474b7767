import type { Server } from 'node:http';
import type { Resources } from '../resources.ts';

/** Listens on a free port of 127.0.0.1 until the test ends, then drops all connections. */
export async function listenOnLoopback(
  resources: Resources,
  server: Server,
): Promise<{ host: string; origin: string }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  resources.defer('close an HTTP server', async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no address');
  const host = `127.0.0.1:${address.port}`;
  return { host, origin: `http://${host}` };
}
