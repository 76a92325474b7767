import type { Socket } from 'node:net';
import { abortError } from '../../core/base/abort.ts';

/**
 * The socket once it has emitted `event`; otherwise it is destroyed.
 * @throws the socket's error as it comes, an Error when it closes first, ProvisionError `aborted`.
 */
export async function untilReady<T extends Socket>(socket: T, event: string, signal: AbortSignal): Promise<T> {
  return await new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose).off(event, onReady);
    };
    const fail = (cause: unknown): void => {
      settle();
      socket.on('error', () => undefined).destroy();
      reject(cause);
    };
    const onAbort = (): void => fail(abortError(signal));
    const onError = (cause: Error): void => fail(cause);
    const onClose = (): void => fail(new Error('the connection was closed'));
    const onReady = (): void => {
      settle();
      resolve(socket);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError).once('close', onClose).once(event, onReady);
  });
}
