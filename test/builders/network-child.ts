import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { startNetwork } from '../../installer/network/start-network.ts';
import type { NetworkChildConfig } from './installer-network.ts';
import { probePublicServer } from './network-child-probe.ts';

// Run in a machine's namespace: brings its network up, prints what happens as JSON lines, takes words on standard input.
const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as NetworkChildConfig;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify({ atMs: Date.now(), ...line })}\n`);
const ending = new AbortController();
const network = startNetwork({
  parameters: config.parameters,
  system: config.system,
  signal: ending.signal,
  onLink: (link) => say({ kind: 'link', link }),
  onLinkGone: (name) => say({ kind: 'gone', name }),
  onWorkingLink: (working) => say({ kind: 'working', working }),
});
if (config.probe !== null) network.setProbe(probePublicServer(config.probe, (kind) => say({ kind })));
network.working(ending.signal).then(
  (working) => say({ kind: 'first', working }),
  (error: unknown) => say({ kind: 'error', message: String(error) }),
);
for await (const word of createInterface({ input: process.stdin })) {
  if (word === 'doubt') network.doubt();
  if (word.startsWith('{')) network.setProbe(probePublicServer(JSON.parse(word), (kind) => say({ kind })));
  if (word === 'stop') break;
}
await network[Symbol.asyncDispose]();
say({ kind: 'ended' });
process.exit(0);
