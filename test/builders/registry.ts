import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { RegistryCredentials } from '../../core/oci/auth.ts';
import type { TokenServer } from '../fakes/token-server.ts';
import { freePort, type Resources, waitFor } from '../resources.ts';
import type { Certificates } from './certificates.ts';

export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly dataDir: string;
  /**
   * Copies `oci:DIR:TAG` (or any other skopeo source) to `HOST/NAME:TAG` and gives that reference; digests stay,
   * unless it is converted to Docker schema 2.
   */
  push(source: string, nameAndTag: string, options?: { docker?: boolean }): Promise<string>;
}

export interface RegistryOptions {
  readonly tls?: Certificates;
  readonly tokenAuth?: TokenServer;
  /** Who may use it (HTTP Basic); without this and `tokenAuth`, everybody. */
  readonly login?: RegistryCredentials;
  /** Default: a free one. */
  readonly port?: number;
  /** Folder that stays; default: one that goes with the registry. */
  readonly dataDir?: string;
}

/** Debian's docker-registry (distribution) on a loopback port, with a throw-away data directory unless one is given. */
export async function startRegistry(resources: Resources, options: RegistryOptions = {}): Promise<Registry> {
  const dir = resources.tempDir('durantic-registry-');
  const dataDir = options.dataDir ?? join(dir, 'data');
  const configFile = join(dir, 'config.yml');
  const host = `127.0.0.1:${options.port ?? (await freePort())}`;
  await mkdir(dataDir, { recursive: true });
  const htpasswdFile = join(dir, 'htpasswd');
  if (options.login !== undefined) await writeFile(htpasswdFile, await htpasswdLine(options.login));
  await writeFile(configFile, JSON.stringify(configOf(host, { dataDir, htpasswdFile }, options)));
  const log: string[] = [];
  const child = resources.spawn('docker-registry', ['serve', configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr?.on('data', (chunk: Buffer) => {
    log.push(chunk.toString('utf8'));
    log.splice(0, log.length - 50);
  });
  await waitFor(`docker-registry on ${host}`, () => {
    if (child.exitCode !== null) throw new Error(`docker-registry exited with ${child.exitCode}: ${log.join('')}`);
    return isAnswering(host, options.tls !== undefined);
  });
  return {
    host,
    dataDir,
    push: async (source, nameAndTag, { docker } = {}) => {
      const form = docker ? ['--format', 'v2s2'] : ['--preserve-digests'];
      const { login } = options;
      const who = login === undefined ? [] : [`--dest-creds=${login.username}:${login.password}`];
      const flags = ['--insecure-policy', 'copy', '--all', '--quiet', '--dest-tls-verify=false', ...form, ...who];
      await runCommand('skopeo', [...flags, source, `docker://${host}/${nameAndTag}`]);
      return `${host}/${nameAndTag}`;
    },
  };
}

// The configuration is YAML, of which JSON is a part.
function configOf(
  host: string,
  { dataDir, htpasswdFile }: { readonly dataDir: string; readonly htpasswdFile: string },
  { tls, tokenAuth, login }: RegistryOptions,
): object {
  const token = tokenAuth && {
    token: {
      realm: tokenAuth.realm,
      service: tokenAuth.service,
      issuer: tokenAuth.issuer,
      rootcertbundle: tokenAuth.certFile,
    },
  };
  const auth = token ?? (login && { htpasswd: { realm: 'test', path: htpasswdFile } });
  return {
    version: 0.1,
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: dataDir }, delete: { enabled: true } },
    http: { addr: host, ...(tls ? { tls: { certificate: tls.certFile, key: tls.keyFile } } : {}) },
    ...(auth ? { auth } : {}),
  };
}

/** Only bcrypt is taken; Perl's crypt is that of libcrypt, which knows it (crypt(5)). */
async function htpasswdLine({ username, password }: RegistryCredentials): Promise<string> {
  const script = 'chomp(my $p = <STDIN>); print crypt($p, q($2b$05$abcdefghijklmnopqrstuu))';
  const { stdout } = await runCommand('perl', ['-e', script], { input: `${password}\n` });
  return `${username}:${stdout}\n`;
}

// 200, or 401 where a token is wanted.
async function isAnswering(host: string, isTls: boolean): Promise<boolean> {
  return await new Promise((resolve) => {
    const url = `${isTls ? 'https' : 'http'}://${host}/v2/`;
    const answered = (): void => resolve(true);
    const request = isTls ? httpsRequest(url, { rejectUnauthorized: false }, answered) : httpRequest(url, answered);
    request.on('error', () => resolve(false));
    request.end();
  });
}
