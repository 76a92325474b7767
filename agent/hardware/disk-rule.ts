import { ProvisionError } from '../../core/base/errors.ts';
import type { DiskFacts } from '../disk/types.ts';

export interface DiskRule {
  readonly smallestBytes: number;
  readonly largestBytes: number;
  readonly transport: string | null;
  readonly pick: 'smallest' | 'largest' | null;
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
};

/**
 * Reads a rule like `size>=100G,transport=nvme,smallest` (protocol.md, `target_disk`). K, M, G, T (also KiB, …) are
 * powers of 1024; KB, MB, GB, TB powers of 1000.
 * @throws ProvisionError `usage` for a part that is not understood.
 */
export function parseDiskRule(text: string): DiskRule {
  let rule: DiskRule = { smallestBytes: 0, largestBytes: Number.POSITIVE_INFINITY, transport: null, pick: null };
  for (const part of text.split(',').map((piece) => piece.trim())) {
    rule = { ...rule, ...readPart(part, text) };
  }
  return rule;
}

/** Whether a text is meant as a rule rather than as a path or name. */
export function isDiskRule(text: string): boolean {
  return /^(size|transport)\s*(>=|<=|=)|^(smallest|largest)$|,(smallest|largest)$/.test(text);
}

/** The disks that satisfy a rule: one for `smallest` and `largest`, unless several have that same size. */
export function applyDiskRule(rule: DiskRule, disks: readonly DiskFacts[]): DiskFacts[] {
  const fitting = disks.filter(
    (disk) =>
      disk.sizeBytes >= rule.smallestBytes &&
      disk.sizeBytes <= rule.largestBytes &&
      (rule.transport === null || disk.transport === rule.transport),
  );
  if (rule.pick === null) return fitting;
  const sizes = fitting.map((disk) => disk.sizeBytes);
  const wanted = rule.pick === 'smallest' ? Math.min(...sizes) : Math.max(...sizes);
  return fitting.filter((disk) => disk.sizeBytes === wanted);
}

function readPart(part: string, text: string): Partial<DiskRule> {
  if (part === 'smallest' || part === 'largest') return { pick: part };
  const transport = /^transport\s*=\s*(\w+)$/.exec(part)?.[1];
  if (transport !== undefined) return { transport: transport.toLowerCase() };
  const size = /^size\s*(>=|<=)\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(iB|B)?$/i.exec(part);
  const unit = size && `${size[3]?.toUpperCase()}${size[3] !== '' && size[4]?.toUpperCase() === 'B' ? 'B' : ''}`;
  const factor = unit === null ? undefined : unitBytes[unit];
  if (size === null || factor === undefined) {
    throw new ProvisionError('usage', `"${part}" is not understood in the disk rule "${text}"`, {
      facts: { rule: text, known: ['size>=N', 'size<=N', 'transport=NAME', 'smallest', 'largest'] },
    });
  }
  const bytes = Number(size[2]) * factor;
  return size[1] === '>=' ? { smallestBytes: bytes } : { largestBytes: bytes };
}
