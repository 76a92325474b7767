import { createReadStream, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { FaultAction } from './fault-script.ts';
import { untilRead } from './until-read.ts';

interface Body {
  readonly fromByte: number;
  /** Exclusive. */
  readonly toByte: number;
  /** How the answer ends when these bytes are sent. */
  readonly ending: 'end' | 'reset' | 'reset-when-read' | 'stall';
  readonly extraBytes: number;
  readonly corruptByte: number | undefined;
  readonly drip: { readonly pieces: number; readonly everyMs: number } | undefined;
}

export interface ServedBlob {
  readonly file: string;
  readonly etag: string;
  readonly mediaType: string;
  /** Told about body bytes that the kernel has taken. */
  readonly onSent: (sentBytes: number) => void;
}

/**
 * Answers a request for a file with Range as a registry does (ETag, Accept-Ranges), bent by the fault.
 */
export async function sendBlob(
  request: IncomingMessage,
  response: ServerResponse,
  blob: ServedBlob,
  fault: FaultAction | undefined,
): Promise<void> {
  const sizeBytes = fault?.kind === 'shorter' ? fault.sizeBytes : statSync(blob.file).size;
  const asked = fault?.kind === 'ignore-range' ? undefined : askedRange(request.headers.range, sizeBytes);
  response.setHeader('etag', `"${blob.etag}"`);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('content-type', blob.mediaType);
  if (fault?.kind === 'header') response.setHeader(fault.name, fault.value);
  if (asked === 'unsatisfiable') {
    response.writeHead(416, { 'content-range': `bytes */${sizeBytes}` }).end();
    return;
  }
  const range = asked ?? { fromByte: 0, toByte: sizeBytes };
  const start = fault?.kind === 'content-range' ? { ...range, ...partOf(fault) } : range;
  const body = bend(start, fault);
  const isEndless = fault?.kind === 'truncate' || fault?.kind === 'longer';
  if (!isEndless) response.setHeader('content-length', start.toByte - start.fromByte);
  if (asked) response.setHeader('content-range', `bytes ${asked.fromByte}-${asked.toByte - 1}/${sizeBytes}`);
  if (fault?.kind === 'content-range') {
    response.removeHeader('content-range');
    if (fault.value !== null) response.setHeader('content-range', fault.value);
  }
  response.statusCode = asked || fault?.kind === 'content-range' ? 206 : 200;
  await sendBody(response, blob, body);
}

function partOf({ fromByte, toByte }: { fromByte: number; toByte?: number }): { fromByte: number; toByte?: number } {
  return toByte === undefined ? { fromByte } : { fromByte, toByte };
}

function bend(range: { fromByte: number; toByte: number }, fault: FaultAction | undefined): Body {
  const whole = { ...range, ending: 'end' as const, extraBytes: 0, corruptByte: undefined, drip: undefined };
  const until = (bytes: number): number => Math.min(range.toByte, range.fromByte + bytes);
  switch (fault?.kind) {
    case 'truncate':
      return { ...whole, toByte: until(fault.afterBytes) };
    case 'reset':
      return { ...whole, toByte: until(fault.afterBytes), ending: 'reset' };
    case 'reset-at': {
      const isInside = fault.blobByte >= range.fromByte && fault.blobByte < range.toByte;
      const ending = fault.whenRead ? 'reset-when-read' : 'reset';
      return isInside ? { ...whole, toByte: fault.blobByte, ending } : whole;
    }
    case 'stall':
      return { ...whole, toByte: until(fault.afterBytes), ending: 'stall' };
    case 'corrupt':
      return { ...whole, corruptByte: fault.blobByte };
    case 'drip':
      return { ...whole, drip: fault };
    case 'longer':
      return { ...whole, extraBytes: fault.extraBytes };
    default:
      return whole;
  }
}

async function sendBody(response: ServerResponse, blob: ServedBlob, body: Body): Promise<void> {
  let at = body.fromByte;
  response.flushHeaders();
  for await (const chunk of bytesOf(blob.file, body)) {
    if (response.destroyed) return;
    if (body.corruptByte !== undefined && body.corruptByte >= at && body.corruptByte < at + chunk.length) {
      chunk[body.corruptByte - at] = (chunk[body.corruptByte - at] ?? 0) ^ 0x10;
    }
    if (body.drip) await new Promise((resolve) => setTimeout(resolve, body.drip?.everyMs));
    await write(response, chunk);
    at += chunk.length;
    blob.onSent(at - body.fromByte);
  }
  if (body.extraBytes > 0) await write(response, Buffer.alloc(body.extraBytes, 'x'));
  if (body.ending === 'end') response.end();
  if (body.ending === 'reset-when-read') await untilRead(response.socket);
  if (body.ending.startsWith('reset')) response.socket?.resetAndDestroy();
}

function bytesOf(file: string, body: Body): Readable {
  const sizeBytes = body.toByte - body.fromByte;
  if (sizeBytes <= 0) return Readable.from([]);
  const highWaterMark = body.drip ? Math.ceil(sizeBytes / body.drip.pieces) : 256 * 1024;
  return createReadStream(file, { start: body.fromByte, end: body.toByte - 1, highWaterMark });
}

// Resolves when the bytes are with the kernel, so that a reset behind them does not overtake them in this process.
async function write(response: ServerResponse, chunk: Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('close', done);
      resolve();
    };
    response.once('close', done);
    response.write(chunk, done);
  });
}

function askedRange(
  header: string | undefined,
  sizeBytes: number,
): { fromByte: number; toByte: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d+)-(\d+)$/.exec(header ?? '');
  if (!match) return undefined;
  const fromByte = Number(match[1]);
  if (fromByte >= sizeBytes) return 'unsatisfiable';
  return { fromByte, toByte: Math.min(sizeBytes, Number(match[2]) + 1) };
}
