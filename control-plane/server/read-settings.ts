import { ProvisionError } from '../../core/base/errors.ts';
import type { RawSettings, RawValue, SettingName } from './raw-settings.ts';
import { readConfigFile } from './read-config-file.ts';
import {
  parseListenAddress,
  parseLogLevel,
  parsePublicUrl,
  parseRegistryAddress,
  parseSwitch,
  SettingProblem,
} from './setting-values.ts';
import { defaultListen, type ServerSettings, type TlsSettings } from './settings.ts';

/**
 * The settings from flags and configuration file; a flag replaces the file's value of the same name.
 * @param configFile null: flags only.
 * @throws ProvisionError `usage` naming the flag, `document_invalid` naming file and line.
 */
export function readSettings(flags: RawSettings, configFile: string | null): ServerSettings {
  const raw: RawSettings = new Map([...(configFile === null ? [] : readConfigFile(configFile)), ...flags]);
  const dataDir = one(raw, 'data-dir', (text) => text);
  if (dataDir === undefined || dataDir === '')
    throw usage('--data-dir is needed: the folder that the server keeps its data in');
  const isPlain = one(raw, 'plain-http', parseSwitch) ?? false;
  const publicUrls = all(raw, 'public-url', (text) => {
    const url = parsePublicUrl(text);
    if (url.startsWith('http:') && !isPlain)
      throw new SettingProblem(`"${text}" is not https://; --plain-http allows it`);
    return url;
  });
  return {
    dataDir,
    listen: one(raw, 'listen', parseListenAddress) ?? defaultListen,
    publicUrls: [...new Set(publicUrls)],
    httpBoot: one(raw, 'http-boot', parseListenAddress) ?? null,
    assetsDir: one(raw, 'assets', (text) => text) ?? null,
    tls: tlsOf(raw, isPlain),
    registryCaFile: one(raw, 'registry-ca', (text) => text) ?? null,
    registryAddresses: new Map(all(raw, 'registry-at', parseRegistryAddress)),
    logLevel: one(raw, 'log-level', parseLogLevel) ?? 'info',
  };
}

function tlsOf(raw: RawSettings, isPlain: boolean): TlsSettings {
  const [certFile, keyFile, caFile] = (['tls-cert', 'tls-key', 'tls-ca'] as const).map((name) =>
    one(raw, name, (text) => text),
  );
  if (certFile === undefined && keyFile === undefined && caFile === undefined) {
    return isPlain ? { kind: 'none' } : { kind: 'own' };
  }
  if (isPlain) throw usage('--plain-http and --tls-cert, --tls-key, --tls-ca contradict each other');
  if (certFile === undefined || keyFile === undefined) throw usage('--tls-cert and --tls-key belong together');
  return { kind: 'given', certFile, keyFile, caFile: caFile ?? null };
}

function one<T>(raw: RawSettings, name: SettingName, parse: (text: string) => T): T | undefined {
  return all(raw, name, parse).at(-1);
}

function all<T>(raw: RawSettings, name: SettingName, parse: (text: string) => T): T[] {
  return (raw.get(name) ?? []).map((value) => parsed(value, parse));
}

function parsed<T>({ text, where }: RawValue, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof SettingProblem)) throw error;
    // A flag is a matter of the command line, everything else stands in the file.
    throw new ProvisionError(where.startsWith('--') ? 'usage' : 'document_invalid', `${where}: ${error.message}`);
  }
}

function usage(message: string): ProvisionError {
  return new ProvisionError('usage', message);
}
