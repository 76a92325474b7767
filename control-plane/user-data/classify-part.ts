/** A kind of user data that cloud-init knows (cloudinit/handlers, INCLUSION_TYPES_MAP). */
export interface PartKind {
  readonly contentType: string;
  readonly extension: string;
}

export const cloudConfig: PartKind = { contentType: 'text/cloud-config', extension: 'yaml' };

/** By the beginning of the text; the longer ones first. */
const kinds: readonly (readonly [string, PartKind])[] = [
  ['#cloud-config-archive', { contentType: 'text/cloud-config-archive', extension: 'yaml' }],
  ['#cloud-config-jsonp', { contentType: 'text/cloud-config-jsonp', extension: 'json' }],
  ['#cloud-config', cloudConfig],
  ['#cloud-boothook', { contentType: 'text/cloud-boothook', extension: 'sh' }],
  ['#include-once', { contentType: 'text/x-include-once-url', extension: 'txt' }],
  ['#include', { contentType: 'text/x-include-url', extension: 'txt' }],
  ['#part-handler', { contentType: 'text/part-handler', extension: 'py' }],
  ['#!', { contentType: 'text/x-shellscript', extension: 'sh' }],
  ['## template: jinja', { contentType: 'text/jinja2', extension: 'txt' }],
];

/** What the text is by its first line; null: it does not say. */
export function classifyPart(text: string): PartKind | null {
  return kinds.find(([beginning]) => text.startsWith(beginning))?.[1] ?? null;
}
