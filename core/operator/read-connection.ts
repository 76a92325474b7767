import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerTrust } from '../api-client/server-dispatcher.ts';
import { ProvisionError } from '../base/errors.ts';
import { parsePin } from '../pinned-ca/pin.ts';

/** Flags of every command that speaks to a server; each wins over its variable. */
export interface ConnectionFlags {
  readonly endpoint?: string;
  readonly pin?: string;
  readonly ca?: string;
  readonly dataDir?: string;
}

export interface Connection {
  readonly endpoint: string;
  readonly token: string;
  readonly trust: ServerTrust;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a server of this machine listens when it was told nothing else. */
const localEndpoint = 'https://127.0.0.1:8443';

/**
 * Which server to speak to and how to trust it: `DURANTIC_ENDPOINT`, `DURANTIC_API_TOKEN` and
 * `DURANTIC_INSECURE_SKIP_VERIFY` as the Terraform provider has them, `DURANTIC_PIN` and `DURANTIC_CA` beside them.
 * @throws ProvisionError `usage`, which says what to set.
 */
export async function readConnection(flags: ConnectionFlags, environment: Environment): Promise<Connection> {
  const endpoint = flags.endpoint ?? setting(environment, 'DURANTIC_ENDPOINT') ?? localOf(flags);
  if (endpoint === undefined) {
    throw new ProvisionError(
      'usage',
      'which server is not said: set DURANTIC_ENDPOINT to its address, such as https://server:8443, ' +
        'DURANTIC_API_TOKEN to an API token and DURANTIC_PIN to the pin that it printed at its first start; ' +
        "on the server's own machine, --data-dir with its data directory stands for address and pin",
    );
  }
  const token = setting(environment, 'DURANTIC_API_TOKEN');
  if (token === undefined) {
    throw new ProvisionError(
      'usage',
      'DURANTIC_API_TOKEN is not set: the server printed one at its first start, and ' +
        '"durantic server api-token create" makes another on its machine',
    );
  }
  return { endpoint, token, trust: await readTrust(flags, environment) };
}

function localOf(flags: ConnectionFlags): string | undefined {
  return flags.dataDir === undefined ? undefined : localEndpoint;
}

async function readTrust(flags: ConnectionFlags, environment: Environment): Promise<ServerTrust> {
  const given = [flags.pin, flags.ca, flags.dataDir].filter((flag) => flag !== undefined);
  if (given.length > 1) throw new ProvisionError('usage', 'give one of --pin, --ca and --data-dir');
  if (flags.pin !== undefined) return { kind: 'pin', pin: parsePin(flags.pin) };
  if (flags.ca !== undefined) return await readCa(flags.ca);
  if (flags.dataDir !== undefined) return await readCa(join(flags.dataDir, 'ca.crt'));
  const pin = setting(environment, 'DURANTIC_PIN');
  if (pin !== undefined) return { kind: 'pin', pin: parsePin(pin) };
  const ca = setting(environment, 'DURANTIC_CA');
  if (ca !== undefined) return await readCa(ca);
  return isTrue(setting(environment, 'DURANTIC_INSECURE_SKIP_VERIFY')) ? { kind: 'none' } : { kind: 'system' };
}

async function readCa(path: string): Promise<ServerTrust> {
  try {
    return { kind: 'ca', certificate: await readFile(path, 'utf8') };
  } catch (cause) {
    throw new ProvisionError('usage', `the CA certificate ${path} cannot be read`, { cause });
  }
}

function setting(environment: Environment, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === '' ? undefined : value;
}

/** As Go's ParseBool, which the provider reads the variable with. */
function isTrue(text: string | undefined): boolean {
  if (text === undefined || ['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(text)) return false;
  if (['1', 't', 'T', 'true', 'True', 'TRUE'].includes(text)) return true;
  throw new ProvisionError('usage', 'DURANTIC_INSECURE_SKIP_VERIFY must be true or false');
}
