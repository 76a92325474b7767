import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import type { WaitingSockets } from './waiting-sockets.ts';

export interface AttachOptions {
  readonly sockets: WebSocketServer;
  readonly waiting: WaitingSockets;
  /** True while the server stops. */
  readonly isClosing: () => boolean;
  /** Bytes that a socket may send before `onSocket`'s function gives true. */
  readonly helloBytes: number;
  /**
   * Takes the socket over; `leave` is called once its hello is stored or it is closed.
   * @returns A function that says whether the hello is accepted.
   */
  readonly onSocket: (ws: WebSocket, request: IncomingMessage, leave: () => void) => () => boolean;
}

/** A refusal is read by whoever is there, and not waited for longer than this. */
const refusalMs = 5000;

/** Upgrades `GET /api/agent/connect` of the server and refuses every other upgrade with an HTTP status. */
export function attachAgentSockets(server: Server, options: AttachOptions): void {
  // A request whose head is still not complete never becomes an upgrade; Node ends it with 408.
  server.headersTimeout = Math.min(server.headersTimeout || 60_000, 20_000);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node has taken its own handlers off the socket.
    socket.on('error', () => socket.destroy());
    upgrade({ request, socket, head }, options);
  });
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

function upgrade({ request, socket, head }: Upgrade, options: AttachOptions): void {
  const refusal = whyNot(request, options.isClosing());
  if (refusal !== undefined) {
    refuse(socket, refusal);
    return;
  }
  const leave = options.waiting.enter(request.socket.remoteAddress ?? '');
  if (leave === undefined) {
    refuse(socket, { status: 503, detail: 'too many sockets wait for their hello' });
    return;
  }
  socket.once('close', leave);
  // ws answers 400 or 426 by itself when its own headers are wrong.
  options.sockets.handleUpgrade(request, socket, head, (ws) => {
    const isAccepted = options.onSocket(ws, request, leave);
    limitHello(socket, ws, { isAccepted, helloBytes: options.helloBytes });
  });
}

interface Refusal {
  readonly status: 400 | 404 | 405 | 503;
  readonly detail: string;
}

function whyNot(request: IncomingMessage, isClosing: boolean): Refusal | undefined {
  const path = (request.url ?? '').split('?')[0]?.replace(/\/$/, '');
  if (path !== '/api/agent/connect') return { status: 404, detail: 'there is no socket at this address' };
  if (request.method !== 'GET') return { status: 405, detail: 'a socket is opened with GET' };
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
    return { status: 400, detail: 'only websocket is spoken here' };
  }
  return isClosing ? { status: 503, detail: 'the server is stopping' } : undefined;
}

/** ws allows every peer frames of 1 MiB; one that has proved nothing gets less. */
function limitHello(
  socket: Duplex,
  ws: WebSocket,
  { isAccepted, helloBytes }: { isAccepted: () => boolean; helloBytes: number },
): void {
  let receivedBytes = 0;
  const count = (chunk: Buffer): void => {
    if (isAccepted()) {
      socket.off('data', count);
      return;
    }
    receivedBytes += chunk.length;
    if (receivedBytes > helloBytes) ws.terminate();
  };
  socket.on('data', count);
}

function refuse(socket: Duplex, { status, detail }: Refusal): void {
  const body = JSON.stringify({ detail });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 503 ? ['Retry-After: 5'] : []),
    'Connection: close',
  ];
  const timer = setTimeout(() => socket.destroy(), refusalMs);
  socket.once('close', () => clearTimeout(timer));
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
