export interface ContentRange {
  /** null for the unsatisfied form of a 416, which has a star in place of the range. */
  readonly range: { readonly firstByte: number; readonly lastByte: number } | null;
  /** null where the server does not know it (`*`). */
  readonly totalBytes: number | null;
}

/** Reads a Content-Range header (RFC 9110 section 14.4); undefined when it is missing or not one. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = /^bytes\s+(?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(value?.trim() ?? '');
  if (!match) return undefined;
  const totalBytes = match[3] === '*' || match[3] === undefined ? null : Number(match[3]);
  if (match[1] === undefined) return totalBytes === null ? undefined : { range: null, totalBytes };
  const range = { firstByte: Number(match[1]), lastByte: Number(match[2]) };
  const isSound = range.firstByte <= range.lastByte && (totalBytes === null || range.lastByte < totalBytes);
  return isSound ? { range, totalBytes } : undefined;
}
