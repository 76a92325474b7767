import type { IdentifierPlan, PartitionChange } from './plan-identifiers.ts';

/** Replaces the identifiers of one text; texts are latin1 strings, so that no byte is lost in between. */
export type RewriteText = (text: string) => string;

/**
 * A function that replaces every reference to the plan's old identifiers: `UUID=`, `PARTUUID=`, `LABEL=`, `PARTLABEL=`
 * (fstab(5), crypttab(5), kernel command lines), `/dev/disk/by-*` (also in systemd's escaped form), GRUB's `search
 * --fs-uuid`, `--label` and `search.fs_uuid`, `search.fs_label`. UUIDs are found in either case. A label becomes a UUID
 * where exactly one partition of the image carries it; it stays as it is where two do.
 */
export function identifierRewriter(plan: IdentifierPlan): RewriteText {
  const uuids = uuidReplacements(plan);
  const fsLabels = labelReplacements(plan.partitions, ({ old, fsUuid }) => [old.fsLabel, fsUuid]);
  const partLabels = labelReplacements(plan.partitions, ({ old, partUuid }) => [old.partLabel, partUuid]);
  return (text) => {
    let result = text;
    for (const [label, uuid] of fsLabels) {
      result = replaceTag(result, { tag: 'LABEL', label, newTag: 'UUID', uuid });
      result = replaceGrubSearch(result, label, uuid);
    }
    for (const [label, uuid] of partLabels) {
      result = replaceTag(result, { tag: 'PARTLABEL', label, newTag: 'PARTUUID', uuid });
    }
    return replaceUuids(result, uuids);
  };
}

function uuidReplacements(plan: IdentifierPlan): Map<string, string> {
  const uuids = new Map<string, string>();
  const add = (old: string | null, fresh: string | null): void => {
    if (old === null || fresh === null || !/^[0-9a-f-]+$/i.test(old)) return;
    if (old.toLowerCase() !== fresh.toLowerCase()) {
      uuids.set(old.toLowerCase(), fresh);
    }
  };
  add(plan.oldDiskGuid, plan.diskGuid);
  for (const { old, partUuid, fsUuid } of plan.partitions) {
    add(old.partUuid, partUuid);
    add(old.fsUuid, fsUuid);
  }
  return uuids;
}

function labelReplacements(
  partitions: readonly PartitionChange[],
  pick: (change: PartitionChange) => readonly [string | null, string | null],
): [string, string][] {
  const pairs = partitions.map(pick);
  const result: [string, string][] = [];
  for (const [label, uuid] of pairs) {
    if (label === null || label === '' || uuid === null) continue;
    if (pairs.filter(([other]) => other === label).length === 1) result.push([toLatin1(label), uuid]);
  }
  return result;
}

/** `TAG=label` with optional quotes, and `/dev/disk/by-tag/label` with udev's `\x20`. */
function replaceTag(text: string, what: { tag: string; label: string; newTag: string; uuid: string }): string {
  const { tag, label, newTag, uuid } = what;
  const end = `(?=$|[\\s"',;:|&)}\\]/\\\\])`;
  const forms = [...new Set([label, label.replaceAll(' ', '\\040'), label.replaceAll(' ', '\\x20')])];
  const value = forms.map(escapeRegExp).join('|');
  const assignment = new RegExp(`(?<![\\w-])${tag}=(\\\\?["']?)(?:${value})\\1${end}`, 'gm');
  const link = new RegExp(`/dev/disk/by-${tag.toLowerCase()}/(?:${value})${end}`, 'gm');
  return text
    .replace(assignment, (_match, quote: string) => `${newTag}=${quote}${uuid}${quote}`)
    .replace(link, `/dev/disk/by-${newTag.toLowerCase()}/${uuid}`);
}

/** GRUB's `search [--set=VAR] --label NAME` (GRUB manual, "search") and the one-command modules of early configs. */
function replaceGrubSearch(text: string, label: string, uuid: string): string {
  const word = `(?<quote>["']?)${escapeRegExp(label)}\\k<quote>(?=$|[\\s;])`;
  const early = new RegExp(`(?<![\\w.])search\\.fs_label([ \\t]+)${word}`, 'gm');
  const flag = /(?<=[ \t])(?:--label|-l)(?=[ \t]|$)/;
  const name = new RegExp(`(?<=[ \\t])${word}`, 'g');
  return text
    .replace(early, (_match, space: string) => `search.fs_uuid${space}${uuid}`)
    .replace(/(?<![\w.-])search[ \t][^\n;]*/g, (command) => {
      // The name is the last argument; the same word before it is a variable (`--set root --label root`).
      const last = [...command.matchAll(name)].at(-1);
      if (last === undefined || !flag.test(command)) return command;
      const rest = command.slice(last.index + last[0].length);
      return `${command.slice(0, last.index)}${uuid}${rest}`.replace(flag, '--fs-uuid');
    });
}

function replaceUuids(text: string, uuids: ReadonlyMap<string, string>): string {
  if (uuids.size === 0) return text;
  // Longest first: a short FAT serial must not match inside anything longer.
  const forms = [...uuids.keys()].sort((a, b) => b.length - a.length);
  const pattern = forms.map((uuid) => uuid.replaceAll('-', '(?:-|\\\\x2d)')).join('|');
  const whole = new RegExp(`(?<![0-9A-Za-z])(?:${pattern})(?![0-9A-Za-z])(?!-|\\\\x2d)`, 'gi');
  return text.replace(whole, (match: string, offset: number) => {
    const fresh = uuids.get(match.toLowerCase().replaceAll('\\x2d', '-'));
    const isShort = match.length < 36;
    if (fresh === undefined || (isShort && text[offset - 1] === '-')) return match;
    return match.includes('\\x2d') ? fresh.replaceAll('-', '\\x2d') : fresh;
  });
}

function toLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}
