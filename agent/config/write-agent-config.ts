import { readFileSync } from 'node:fs';
import { Document, parseDocument } from 'yaml';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { writePrivateFile } from '../identity/write-private-file.ts';
import { type AgentConfig, parseAgentConfig } from './read-agent-config.ts';

export type AgentConfigChange = {
  readonly [K in keyof AgentConfig]?: AgentConfig[K] | null;
};

/**
 * Sets keys of an agent.yaml (null removes one) and leaves all others and the comments as they are; 0600, whole or not
 * at all, and not at all where it says the same already.
 * @throws ProvisionError `document_invalid` for what would be no valid file, `permission`.
 */
export function writeAgentConfig(path: string, change: AgentConfigChange): AgentConfig {
  const before = readText(path);
  const document = before === null ? new Document({}) : parseDocument(before, { prettyErrors: false });
  // Says what is wrong with a file that does not parse.
  if (document.errors.length > 0) parseAgentConfig(before ?? '', path);
  if (document.contents === null) document.contents = document.createNode({});
  for (const [key, value] of Object.entries(change)) {
    if (value === null) document.delete(key);
    else if (value !== undefined) document.set(key, value);
  }
  const text = document.toString();
  const config = parseAgentConfig(text, path);
  if (text !== before) writePrivateFile(path, text);
  return config;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return null;
    throw new ProvisionError('permission', `${path} cannot be read`, { cause, facts: { path } });
  }
}
