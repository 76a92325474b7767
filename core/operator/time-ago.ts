const units = [
  { name: 'd', milliseconds: 86_400_000 },
  { name: 'h', milliseconds: 3_600_000 },
  { name: 'm', milliseconds: 60_000 },
] as const;

/** `4d ago`, `3h ago`, `12m ago`, `5s ago`; a time that is not past is `now`. Both in milliseconds since 1970. */
export function timeAgo(thenMs: number, nowMs: number): string {
  const passedMs = nowMs - thenMs;
  for (const { name, milliseconds } of units) {
    if (passedMs >= milliseconds) return `${Math.floor(passedMs / milliseconds)}${name} ago`;
  }
  return passedMs < 1000 ? 'now' : `${Math.floor(passedMs / 1000)}s ago`;
}

/** `2026-11-20 12:40` in UTC of an RFC 3339 time; null is a dash. */
export function shortTime(time: string | null): string {
  return time === null ? '-' : time.slice(0, 16).replace('T', ' ');
}
