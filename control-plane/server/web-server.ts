import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { describeError } from '../../core/base/describe-error.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { ListenAddress } from './settings.ts';

export interface CertificateAndKey {
  /** PEM, with the chain. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

/** Limits against peers that send slowly or nothing, milliseconds. */
const timeouts = { headersTimeout: 20_000, requestTimeout: 60_000, keepAliveTimeout: 75_000 } as const;
const handshakeTimeoutMs = 20_000;

/**
 * The socket of the server. It listens before the application exists, so that the application knows the port; requests
 * that come in between wait for `serve`.
 */
export class WebServer implements AsyncDisposable {
  /** For WebSocket upgrades. */
  readonly server: HttpServer | HttpsServer;
  /** The port that was given, or the free one that was found for 0. */
  readonly port: number;
  readonly #sockets = new Set<Socket>();
  #serve: (handler: RequestListener) => void = () => undefined;

  private constructor(server: HttpServer | HttpsServer) {
    this.server = server;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new ProvisionError('invariant', 'no TCP socket');
    this.port = address.port;
    const handler = new Promise<RequestListener>((resolve) => {
      this.#serve = resolve;
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => {
      void handler.then((handle) => handle(request, response));
    });
  }

  /**
   * @param tls null for plain HTTP.
   * @param log Gets what goes wrong later, such as a connection that finds no free file descriptor.
   * @throws ProvisionError `listen_failed`.
   */
  static async listen(address: ListenAddress, tls: CertificateAndKey | null, log: Logger): Promise<WebServer> {
    const server =
      tls === null
        ? createHttpServer(timeouts)
        : createHttpsServer({ ...timeouts, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: handshakeTimeoutMs });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(listenError(address, cause)));
      server.listen({ host: address.host, port: address.port }, resolve);
    });
    server.on('error', (error) => log.error({ error: describeError(error) }, 'a connection could not be accepted'));
    return new WebServer(server);
  }

  /** Answers requests from now on, also those that wait. */
  serve(handler: RequestListener): void {
    this.#serve(handler);
  }

  /** New connections get this certificate; those that are open go on. */
  setCertificate(tls: CertificateAndKey): void {
    if (this.server instanceof HttpsServer) this.server.setSecureContext({ ...tls, minVersion: 'TLSv1.2' });
  }

  /** Takes no more connections and resolves when the last one is gone; `cut` ends them at once. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  /** Ends every connection, upgraded ones too, which `closeAllConnections` leaves open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.close();
    this.cut();
    await ended;
  }
}

function listenError({ host, port }: ListenAddress, cause: Error): ProvisionError {
  const errno = errnoOf(cause);
  const why =
    errno === 'EADDRINUSE' ? 'another program listens there' : errno === 'EACCES' ? 'the port needs root' : undefined;
  const message = `cannot listen on ${host} port ${port}${why === undefined ? '' : `: ${why}`}`;
  return new ProvisionError('listen_failed', message, { cause, facts: { host, port, errno: errno ?? null } });
}
