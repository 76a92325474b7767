import type { Probe } from '../../installer/network/network.ts';
import { serverProbe } from '../../installer/network/probe-server.ts';

export interface ProbeConfig {
  readonly server: string;
  readonly pin: string;
  readonly proxy?: string;
  /** Of each connection; default 2000. */
  readonly timeoutMs?: number;
}

/** The installer's own probe; each success is said, and a clock that would be set is only reported. */
export function probePublicServer(config: ProbeConfig, say: (kind: string) => void): Probe {
  const probe = serverProbe({
    server: new URL(config.server),
    pin: config.pin,
    proxy: config.proxy === undefined ? null : new URL(config.proxy),
    setClock: async () => say('clock'),
    timeoutMs: config.timeoutMs ?? 2000,
  });
  return async (route, signal) => {
    await probe(route, signal);
    say('answered');
  };
}
