import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
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
}

/** Debian's docker-registry (distribution) on a free loopback port with a throw-away data directory. */
export async function startRegistry(resources: Resources, options: RegistryOptions = {}): Promise<Registry> {
  const dir = resources.tempDir('durantic-registry-');
  const dataDir = join(dir, 'data');
  const configFile = join(dir, 'config.yml');
  const host = `127.0.0.1:${await freePort()}`;
  await mkdir(dataDir);
  await writeFile(configFile, JSON.stringify(configOf(host, dataDir, options)));
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
      const flags = ['--insecure-policy', 'copy', '--all', '--quiet', '--dest-tls-verify=false', ...form];
      await runCommand('skopeo', [...flags, source, `docker://${host}/${nameAndTag}`]);
      return `${host}/${nameAndTag}`;
    },
  };
}

// The configuration is YAML, of which JSON is a part.
function configOf(host: string, dataDir: string, { tls, tokenAuth }: RegistryOptions): object {
  const auth = tokenAuth && {
    token: {
      realm: tokenAuth.realm,
      service: tokenAuth.service,
      issuer: tokenAuth.issuer,
      rootcertbundle: tokenAuth.certFile,
    },
  };
  return {
    version: 0.1,
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: dataDir }, delete: { enabled: true } },
    http: { addr: host, ...(tls ? { tls: { certificate: tls.certFile, key: tls.keyFile } } : {}) },
    ...(auth ? { auth } : {}),
  };
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
