import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument } from 'yaml';
import { ProvisionError } from '../../core/base/errors.ts';
import {
  isSettingName,
  type RawSettings,
  type RawValue,
  repeatableSettings,
  type SettingName,
  settingNames,
} from './raw-settings.ts';

const pathSettings: readonly SettingName[] = ['data-dir', 'assets', 'tls-cert', 'tls-key', 'tls-ca', 'registry-ca'];

/**
 * Reads a configuration file: a YAML map with the names of the flags; what may be repeated may be a list. Relative paths start
 * at the file's folder.
 * @throws ProvisionError `document_invalid` naming file and line.
 */
export function readConfigFile(file: string): RawSettings {
  const lines = new LineCounter();
  const text = readText(file);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const whereIs = (offset: number): string => `${file}:${lines.linePos(offset).line}`;
  const [error] = document.errors;
  if (error !== undefined) throw invalid(`${whereIs(error.pos[0])}: ${error.message}`);
  const settings: RawSettings = new Map();
  if (document.contents === null) return settings;
  if (!isMap(document.contents))
    throw invalid(`${file}:1: a map of settings is expected, such as "listen: 0.0.0.0:8443"`);
  for (const pair of document.contents.items) {
    const { name, offset } = nameOf(pair, whereIs);
    const values = valuesOf(pair, { name, where: `${whereIs(offset)}: ${name}` });
    settings.set(name, pathSettings.includes(name) ? values.map((each) => fromFolderOf(file, each)) : values);
  }
  return settings;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ProvisionError('document_invalid', `the configuration file ${file} cannot be read`, { cause });
  }
}

function nameOf(pair: Pair, whereIs: (offset: number) => string): { name: SettingName; offset: number } {
  const key = pair.key;
  const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
  const name = isScalar(key) ? String(key.value) : '';
  if (!isSettingName(name)) {
    throw invalid(`${whereIs(offset)}: "${name}" is not a setting; there are ${settingNames.join(', ')}`);
  }
  return { name, offset };
}

function valuesOf(pair: Pair, { name, where }: { name: SettingName; where: string }): RawValue[] {
  const items = isSeq(pair.value) && repeatableSettings.includes(name) ? pair.value.items : [pair.value];
  return items.map((item) => {
    const value = isScalar(item) ? item.value : undefined;
    if (typeof value !== 'string' && typeof value !== 'boolean') throw invalid(`${where}: a text is expected`);
    return { text: String(value), where };
  });
}

function fromFolderOf(file: string, value: RawValue): RawValue {
  return { ...value, text: resolve(dirname(file), value.text) };
}

function invalid(message: string): ProvisionError {
  return new ProvisionError('document_invalid', message);
}
