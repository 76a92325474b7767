import { RenderError, type RenderedPart, type RenderedUserData } from '../services.ts';
import { assembleUserData } from './assemble-user-data.ts';
import { classifyPart, cloudConfig, type PartKind } from './classify-part.ts';
import { mergeCloudConfig } from './merge-cloud-config.ts';
import { parseCloudConfig } from './parse-cloud-config.ts';
import { writeCloudConfig } from './write-cloud-config.ts';
import type { YamlMap } from './yaml-node.ts';

/** What a role's template rendered to. */
export interface RenderedRole {
  readonly name: string;
  readonly text: string;
}

/** Characters that a command can carry (protocol/commands.ts). */
const maxUserDataLength = 512 * 1024;

/** Bytes of it as JSON that fit a frame to the agent (protocol/agent-frames.ts) with everything beside it. */
const maxFramedBytes = 768 * 1024;

/**
 * Merges what the roles rendered to, from the lowest to the highest: all cloud-configs into one, everything else as
 * parts of its own behind it. The only cloud-config stays as its role wrote it.
 * @throws RenderError naming the role that cannot be merged.
 */
export function mergeRoles(roles: readonly RenderedRole[]): RenderedUserData {
  const configs: { role: RenderedRole; map: YamlMap }[] = [];
  const others: RenderedPart[] = [];
  for (const { name, text: rendered } of roles) {
    // Statements before the first line leave empty lines, with which cloud-init would not know the text.
    const text = rendered.replace(/^(?:[ \t]*\n)+/, '').replace(/^[ \t]*$/, '');
    const kind = kindOf(name, text);
    if (kind === null) continue;
    if (kind === cloudConfig) {
      const map = parseCloudConfig(name, rendered);
      if (map !== null && map.entries.size > 0) configs.push({ role: { name, text }, map });
    } else others.push({ contentType: kind.contentType, fileName: fileName(others.length + 1, name, kind), text });
  }
  const parts = [...cloudConfigPart(configs), ...others];
  const userData = assembleUserData(parts);
  requireSize(roles, userData);
  return { userData, parts };
}

function kindOf(role: string, text: string): PartKind | null {
  if (text === '') return null;
  if (/^(content-type|mime-version):/i.test(text)) {
    throw new RenderError(role, null, 'a template cannot render MIME; use one role per part');
  }
  // Without a first line that says otherwise it is a piece of cloud-config.
  return classifyPart(text) ?? cloudConfig;
}

function cloudConfigPart(configs: readonly { role: RenderedRole; map: YamlMap }[]): RenderedPart[] {
  const [first, ...rest] = configs;
  if (first === undefined) return [];
  const merged = rest.reduce((low, { map }) => mergeCloudConfig(low, map), first.map);
  const own = classifyPart(first.role.text) === cloudConfig ? first.role.text : `#cloud-config\n${first.role.text}`;
  const text = rest.length === 0 ? own : writeCloudConfig(merged);
  return [
    {
      contentType: cloudConfig.contentType,
      fileName: 'cloud-config.yaml',
      text: text.endsWith('\n') ? text : `${text}\n`,
    },
  ];
}

/** cloud-init runs scripts in the order of their names. */
function fileName(number: number, role: string, kind: PartKind): string {
  const slug = role.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 100);
  return `${String(number).padStart(3, '0')}-${slug}.${kind.extension}`;
}

function requireSize(roles: readonly RenderedRole[], userData: string | null): void {
  const length = userData?.length ?? 0;
  if (length <= maxUserDataLength && Buffer.byteLength(JSON.stringify(userData)) <= maxFramedBytes) return;
  const [largest] = roles.toSorted((left, right) => right.text.length - left.text.length);
  const message = `the user data of all roles has ${length} characters, too many for a machine; this role's are the most`;
  throw new RenderError(largest?.name ?? '', null, message);
}
