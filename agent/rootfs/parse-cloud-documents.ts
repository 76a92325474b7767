import { isMap, isSeq, LineCounter, type ParsedNode, parseDocument } from 'yaml';
import { ProvisionError } from '../../core/base/errors.ts';

/** Documents to check, as they were given; null = not given. `names` are what a message calls them (file names). */
export interface CloudDocuments {
  readonly userData: string | null;
  readonly metaData: string | null;
  readonly vendorData: string | null;
  readonly networkConfig: string | null;
  readonly names?: Partial<Record<'userData' | 'metaData' | 'vendorData' | 'networkConfig', string>>;
}

/** First lines that cloud-init knows (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP), compared in lower case. */
const otherHeaders = [
  '#!',
  '#include',
  '#include-once',
  '#cloud-boothook',
  '#part-handler',
  '#upstart-job',
  '#cloud-config-archive',
  '#cloud-config-jsonp',
  '## template: jinja',
];

/**
 * Checks in preflight what cloud-init would only complain about after the boot, in a log that nobody sees: user-data and
 * vendor-data with a known header (`#cloud-config` must be a YAML mapping), meta-data a YAML mapping, network-config
 * version 1 or 2. YAML 1.1 and repeated keys are taken, as PyYAML takes them.
 * @throws ProvisionError `document_invalid` naming file and line.
 */
export function assertCloudDocuments(documents: CloudDocuments): void {
  const { userData, metaData, vendorData, networkConfig, names = {} } = documents;
  if (userData !== null) assertUserData(userData, names.userData ?? 'user-data');
  if (vendorData !== null) assertUserData(vendorData, names.vendorData ?? 'vendor-data');
  if (metaData !== null) assertMapping(metaData, names.metaData ?? 'meta-data');
  if (networkConfig !== null) assertNetworkConfig(networkConfig, names.networkConfig ?? 'network-config');
}

function assertUserData(text: string, name: string): void {
  const body = text.replace(/^\ufeff/, '').trimStart();
  const start = body.slice(0, 100).toLowerCase();
  if (body === '' || otherHeaders.some((header) => start.startsWith(header))) return;
  if (/^(content-type:|mime-version:)/.test(start)) return;
  if (start.startsWith('#cloud-config')) {
    assertMapping(text.replace(/^\ufeff/, ''), name);
    return;
  }
  const line = text.slice(0, text.length - body.length).split('\n').length;
  throw invalid(name, line, 'the first line is no header that cloud-init knows; most often it is #cloud-config');
}

function assertMapping(text: string, name: string): ParsedNode | null {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false, lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) throw invalid(name, lines.linePos(error.pos[0]).line, firstLine(error.message));
  const root = document.contents;
  if (root === null || isMap(root)) return root;
  // A scalar `null` or an empty document is what a file of comments gives.
  if (document.toJS() === null) return null;
  throw invalid(
    name,
    lines.linePos(root.range[0]).line,
    `a mapping is expected, not ${isSeq(root) ? 'a list' : 'a value'}`,
  );
}

function assertNetworkConfig(text: string, name: string): void {
  const lines = new LineCounter();
  let root = assertMapping(text, name);
  parseDocument(text, { version: '1.1', uniqueKeys: false, lineCounter: lines });
  const lineOf = (node: ParsedNode | null): number => (node === null ? 1 : lines.linePos(node.range[0]).line);
  if (isMap(root) && root.has('network')) root = root.get('network', true) as ParsedNode | null;
  if (!isMap(root)) throw invalid(name, lineOf(root), 'network-config is empty; it needs version: 1 or version: 2');
  const version = root.get('version');
  const versionNode = root.get('version', true) as ParsedNode | undefined;
  if (String(version) !== '1' && String(version) !== '2') {
    const what = version === undefined ? 'version is missing' : `version ${String(version)} is unknown`;
    throw invalid(name, lineOf(versionNode ?? (root as ParsedNode)), `${what}; 1 and 2 exist`);
  }
  if (String(version) === '1' && !isSeq(root.get('config'))) {
    throw invalid(name, lineOf(root as ParsedNode), 'version 1 needs a list named config');
  }
  for (const kind of ['ethernets', 'vlans', 'bonds', 'bridges', 'wifis']) {
    const node = root.get(kind, true) as ParsedNode | undefined;
    if (String(version) === '2' && node !== undefined && !isMap(node)) {
      throw invalid(name, lineOf(node), `${kind} must be a mapping from names to settings`);
    }
  }
}

function invalid(name: string, line: number, why: string): ProvisionError {
  return new ProvisionError('document_invalid', `${name}, line ${line}: ${why}`, { facts: { document: name, line } });
}

function firstLine(message: string): string {
  return message.split('\n')[0]?.trim() ?? message;
}
