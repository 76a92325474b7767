import { createHash } from 'node:crypto';
import type { RenderedPart } from '../services.ts';

/**
 * What cloud-init is given: nothing, the only part as it is, or MIME multipart (RFC 2046) with the parts in their
 * order. The same parts give the same text.
 */
export function assembleUserData(parts: readonly RenderedPart[]): string | null {
  const [first, ...others] = parts;
  if (first === undefined) return null;
  if (others.length === 0) return first.text;
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  // No line of a part can begin with it: it holds the digest of them all.
  const boundary = `==durantic-${digest.slice(0, 40)}==`;
  const head = `Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n\n`;
  return `${head}${parts.map((part) => `--${boundary}\n${mimePart(part)}\n`).join('')}--${boundary}--\n`;
}

function mimePart({ contentType, fileName, text }: RenderedPart): string {
  const isPlain = /^[\t\n\x20-\x7e]*$/.test(text) && !/[^\n]{900}/.test(text);
  const headers = [
    `Content-Type: ${contentType}; charset="utf-8"`,
    'MIME-Version: 1.0',
    `Content-Transfer-Encoding: ${isPlain ? '7bit' : 'base64'}`,
    `Content-Disposition: attachment; filename="${fileName}"`,
  ];
  const base64 = Buffer.from(text, 'utf8').toString('base64');
  const body = isPlain ? text : (base64.match(/.{1,76}/g) ?? []).join('\n');
  return `${headers.join('\n')}\n\n${body}`;
}
