import { isIP } from 'node:net';
import type { LogLevel } from '../../core/base/logger.ts';
import type { ListenAddress } from './settings.ts';

/** Why a value is refused; the caller says where it stood. */
export class SettingProblem extends Error {}

/** `HOST:PORT`, IPv6 in brackets. @throws SettingProblem */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text);
  const host = match?.groups?.['v6'] ?? match?.groups?.['host'];
  const port = Number(match?.groups?.['port']);
  const isBadV6 = match?.groups?.['v6'] !== undefined && isIP(match.groups['v6']) !== 6;
  if (host === undefined || isBadV6 || port > 65_535) {
    throw new SettingProblem(`"${text}" is not an address such as 0.0.0.0:8443 or [::]:8443`);
  }
  return { host, port };
}

/** An origin that machines dial: scheme, host, port and nothing else. @throws SettingProblem */
export function parsePublicUrl(text: string): string {
  if (!URL.canParse(text)) throw new SettingProblem(`"${text}" is not a URL such as https://durantic.example.com:8443`);
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new SettingProblem(`"${text}" is neither https:// nor http://`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' || url.pathname !== '/') {
    throw new SettingProblem(`"${text}" has more than scheme, host and port`);
  }
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') {
    throw new SettingProblem(`"${text}" is no address that a machine can dial`);
  }
  return url.origin;
}

/** `NAME:PORT=HOST:PORT`: a registry's name and the address where it is found. @throws SettingProblem */
export function parseRegistryAddress(text: string): [name: string, address: ListenAddress] {
  const [name = '', address = '', ...rest] = text.split('=');
  if (rest.length > 0 || address === '') {
    throw new SettingProblem(`"${text}" is not a registry and its address, such as registry.example:443=10.0.0.7:5000`);
  }
  const { host, port } = parseListenAddress(name);
  return [`${host.toLowerCase()}:${port}`, parseListenAddress(address)];
}

/** @throws SettingProblem */
export function parseLogLevel(text: string): LogLevel {
  if (text === 'debug' || text === 'info' || text === 'warn' || text === 'error') return text;
  throw new SettingProblem(`"${text}" is not one of debug, info, warn, error`);
}

/** @throws SettingProblem */
export function parseSwitch(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new SettingProblem(`"${text}" is neither true nor false`);
}
