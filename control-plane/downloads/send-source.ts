import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../../core/base/describe-error.ts';
import { errnoOf } from '../../core/base/errors.ts';
import type { Logger } from '../../core/base/logger.ts';
import { alreadyReplied, type RouteRequest } from '../http/route.ts';
import type { ByteSource } from './byte-source.ts';
import { selectRange } from './select-range.ts';

export interface SendOptions {
  readonly contentType: string;
  /** The name that a browser saves it under. */
  readonly fileName: string;
  /** `no-store` for what holds a secret; default: may be kept, but is asked for again. */
  readonly cacheControl?: 'no-cache' | 'no-store';
  readonly log: Logger;
}

/** A receiver that takes nothing for so long is let go: it holds a file and a socket. */
const idleTimeoutMs = 120_000;

/**
 * Answers GET or HEAD with the source, or the part that is asked for, and disposes of it. An error on the way (a file
 * that changes, a disk that fails) breaks the connection: the receiver sees fewer bytes than were announced.
 * @returns What the handler of a route returns.
 */
export async function sendSource(
  request: Pick<RouteRequest<unknown, unknown, unknown>, 'raw' | 'reply'>,
  opened: ByteSource,
  options: SendOptions,
): Promise<typeof alreadyReplied> {
  await using source = opened;
  const selection = selectRange(request.raw.headers, source);
  const isBody = selection.status === 200 || selection.status === 206;
  request.reply.hijack();
  const { raw } = request.reply;
  raw.statusCode = selection.status;
  raw.setHeader('accept-ranges', 'bytes');
  raw.setHeader('etag', source.etag);
  raw.setHeader('last-modified', new Date(source.modifiedMs).toUTCString());
  raw.setHeader('cache-control', options.cacheControl ?? 'no-cache');
  raw.setHeader('x-content-type-options', 'nosniff');
  if (selection.status === 416) raw.setHeader('content-range', `bytes */${source.sizeBytes}`);
  if (isBody) {
    raw.setHeader('content-type', options.contentType);
    raw.setHeader('content-disposition', `attachment; filename="${options.fileName}"`);
    raw.setHeader('content-length', selection.end - selection.start);
    if (selection.status === 206) {
      raw.setHeader('content-range', `bytes ${selection.start}-${selection.end - 1}/${source.sizeBytes}`);
    }
  }
  if (!isBody || request.raw.method === 'HEAD') {
    raw.end();
    return alreadyReplied;
  }
  limitIdling(raw, request.raw.socket);
  try {
    await pipeline(Readable.from(source.read(selection.start, selection.end), { objectMode: false }), raw);
  } catch (error) {
    // pipeline() has ended the connection. A receiver that went away is no news.
    if (errnoOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') {
      options.log.warn({ file: options.fileName, error: describeError(error) }, 'a download broke off');
    }
  }
  return alreadyReplied;
}

/**
 * Ends the connection of a receiver that takes nothing, until the answer has gone. Then the timer is Node's again: its
 * own listener of `finish` comes after this one and gives the kept connection its `keepAliveTimeout`, which nothing may
 * take away afterwards.
 */
function limitIdling(response: ServerResponse, socket: Socket): void {
  const cut = (): void => void socket.destroy();
  socket.setTimeout(idleTimeoutMs);
  socket.on('timeout', cut);
  response.prependOnceListener('finish', () => {
    socket.off('timeout', cut);
    socket.setTimeout(0);
  });
}
