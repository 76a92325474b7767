import { ProvisionError } from '../../core/base/errors.ts';
import type { Services } from '../all-routes.ts';
import type { ServerContext } from '../context.ts';

/** Puts the parts of the server together. */
export function makeServices(_context: ServerContext): Services {
  const missing = (): never => {
    throw new ProvisionError('not_implemented', 'this part of the server is not there yet');
  };
  return {
    hub: {
      isConnected: () => false,
      send: () => false,
      answersPing: async () => false,
      disconnect: () => undefined,
      lastSeenAt: () => null,
      pushConfig: () => undefined,
    },
    commands: { enqueue: missing, get: () => null, list: () => [], cancel: () => false },
    provisions: {
      listener: {},
      buildArgs: () => null,
      tick: async () => undefined,
      queue: missing,
      cancel: missing,
      clear: missing,
      discover: missing,
      onAdopted: () => undefined,
      settled: async () => undefined,
      close: async () => undefined,
    },
    renderMachine: missing,
  };
}
