import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

// Runs in a guest's network namespace: `lan-relay.ts SOCKET HOST PORT` takes connections there to a socket file outside.
const [socketPath = '', host = '', port = ''] = process.argv.slice(2);
const server = createServer({ allowHalfOpen: true }, (guest) => {
  const outside = connect({ path: socketPath, allowHalfOpen: true });
  pipeline(guest, outside, guest, () => undefined);
});
server.listen(Number(port), host, () => process.stdout.write('ready\n'));
