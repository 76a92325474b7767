import type { IncomingHttpHeaders } from 'node:http';
import type { ByteSource } from './byte-source.ts';

export type Selection =
  | { readonly status: 200 | 206; readonly start: number; readonly end: number }
  | { readonly status: 304 | 416 };

/**
 * What of the source a request wants: everything, one range, nothing because it has it already, or a range that is not
 * there (RFC 9110, sections 13.2.2 and 14.2). Several ranges at once get everything, as is allowed.
 * `end` is not included.
 */
export function selectRange(
  headers: IncomingHttpHeaders,
  source: Pick<ByteSource, 'sizeBytes' | 'etag' | 'modifiedMs'>,
): Selection {
  const whole = { status: 200, start: 0, end: source.sizeBytes } as const;
  if (isUnchanged(headers, source)) return { status: 304 };
  const range = /^bytes=(\d*)-(\d*)$/.exec(headers.range?.trim() ?? '');
  if (range === null || !mayBeRange(headers['if-range'], source)) return whole;
  const [first, last] = [range[1] ?? '', range[2] ?? ''];
  if (first === '' && last === '') return whole;
  if (first === '') {
    const start = Math.max(0, source.sizeBytes - Number(last));
    return start < source.sizeBytes ? { status: 206, start, end: source.sizeBytes } : { status: 416 };
  }
  const start = Number(first);
  // A range that ends before it begins is no range (section 14.1.1).
  if (last !== '' && Number(last) < start) return whole;
  if (start >= source.sizeBytes) return { status: 416 };
  return { status: 206, start, end: last === '' ? source.sizeBytes : Math.min(Number(last) + 1, source.sizeBytes) };
}

function isUnchanged(headers: IncomingHttpHeaders, source: Pick<ByteSource, 'etag' | 'modifiedMs'>): boolean {
  const tags = headers['if-none-match'];
  if (tags !== undefined) {
    return tags.trim() === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === source.etag);
  }
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return !Number.isNaN(since) && wholeSeconds(source.modifiedMs) <= since;
}

/** `If-Range`: a part only of exactly the bytes of which the caller has the beginning. */
function mayBeRange(
  condition: string | string[] | undefined,
  source: Pick<ByteSource, 'etag' | 'modifiedMs'>,
): boolean {
  if (condition === undefined) return true;
  const text = String(condition).trim();
  return text.startsWith('"') ? text === source.etag : Date.parse(text) === wholeSeconds(source.modifiedMs);
}

/** As `Last-Modified` can say it. */
function wholeSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000;
}
