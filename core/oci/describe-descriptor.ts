import type { Descriptor } from './types.ts';

/** How messages name a blob: `layer 3 (sha256:0123456789ab…)`, `blob sha256:0123456789ab…`. */
export function describeDescriptor(descriptor: Descriptor): string {
  const short = `${descriptor.digest.slice(0, descriptor.digest.indexOf(':') + 13)}…`;
  return 'index' in descriptor && typeof descriptor.index === 'number'
    ? `layer ${descriptor.index} (${short})`
    : `blob ${short}`;
}
