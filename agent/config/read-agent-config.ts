import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

/** A proxy's URL may carry a name and password; the server's may not, because it is shown. */
const originUrl = httpUrl.refine(isOrigin, 'must be scheme, host and port only');

const agentConfigFields = z.strictObject({
  server: originUrl,
  /** An `http:` server must be asked for by name. */
  plain_http: z.boolean().optional(),
  /** SHA-256 of the server CA's SubjectPublicKeyInfo. */
  pin: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits')
    .optional(),
  /** PEM certificate, in place of the system's roots. */
  ca: z.string().includes('-----BEGIN CERTIFICATE-----', 'must be a certificate in PEM form').optional(),
  proxy: httpUrl.optional(),
  no_proxy: z.union([z.string(), z.array(z.string())]).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  log_level: z.enum(['debug', 'info', 'warn', 'error']).optional(),
});

/** `/etc/durantic/agent.yaml` (protocol.md, "Files"). */
const agentConfigSchema = agentConfigFields.refine(
  ({ server, plain_http }) => plain_http === true || !server.startsWith('http:'),
  { path: ['server'], error: 'is plain HTTP, which must be asked for with plain_http: true' },
);

export type AgentConfig = z.infer<typeof agentConfigSchema>;

/**
 * The validated contents of an agent.yaml; null when the file does not exist.
 * @throws ProvisionError `document_invalid` naming file, line and key; `permission` when it cannot be read.
 */
export function readAgentConfig(path: string): AgentConfig | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return null;
    throw new ProvisionError('permission', `${path} cannot be read`, { cause, facts: { path } });
  }
  return parseAgentConfig(text, path);
}

/**
 * Parses agent.yaml from its text; `name` is what messages call it.
 * @throws ProvisionError `document_invalid` naming file, line and key.
 */
export function parseAgentConfig(text: string, name: string): AgentConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors[0];
  if (syntax !== undefined) throw invalid(name, lines.linePos(syntax.pos[0]).line, syntax.message);
  const result = agentConfigSchema.safeParse(document.toJS() ?? {});
  if (result.success) return result.data;
  // A key that is spelled wrong is also a key that is missing: the spelling helps more.
  const { issues } = result.error;
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = unknown === undefined ? (issue?.path ?? []) : [...(issue?.path ?? []), unknown];
  const node = document.getIn(path, true);
  const line = lines.linePos(rangeStart(node)).line;
  const key = path.join('.');
  const why = unknown === undefined ? (issue?.message ?? 'is not valid') : 'is no key of agent.yaml';
  throw invalid(name, line, key === '' ? why : `${key}: ${why}`);
}

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  return url.pathname === '/' && [url.search, url.hash, url.username, url.password].every((part) => part === '');
}

function rangeStart(node: unknown): number {
  if (typeof node !== 'object' || node === null || !('range' in node)) return 0;
  const range: unknown = node.range;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : 0;
}

function invalid(name: string, line: number, why: string): ProvisionError {
  return new ProvisionError('document_invalid', `${name}, line ${line}: ${why.split('\n')[0] ?? why}`, {
    facts: { document: name, line },
  });
}
