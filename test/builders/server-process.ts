import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Resources, waitFor } from '../resources.ts';
import { type ApiClient, apiClient } from './api-client.ts';

export interface ServerProcessOptions {
  /** Default: a new one, which is removed with the test. */
  readonly dataDir?: string;
  /** Default: from source. */
  readonly binary?: string;
  /** Further flags of `durantic server run`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** For a data directory that has a token already. */
  readonly adminToken?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Host names that only this server resolves, each with its address: it gets an /etc/hosts of its own. */
  readonly hosts?: Readonly<Record<string, string>>;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `durantic server run` as a process of its own, which can be killed and started again on the same data and port. */
export interface ServerProcess extends ApiClient {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly adminToken: string;
  /** PEM; empty with `--plain-http`. */
  readonly caCertificate: string;
  readonly pin: string;
  /** Of the process that was started last. */
  readonly pid: number;
  /** What the process that was started last has written so far. */
  output(): { readonly stdout: string; readonly stderr: string };
  /** Ends the process and waits for it; default: SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<Ending>;
  /** Starts it again and waits until it is ready. */
  start(): Promise<void>;
}

const repoDir = new URL('../../', import.meta.url).pathname;
const readyTimeoutMs = 20_000;

/** Starts a server in a process of its own on 127.0.0.1; it is killed with the test. */
export async function startServerProcess(
  resources: Resources,
  options: ServerProcessOptions = {},
): Promise<ServerProcess> {
  const dataDir = options.dataDir ?? join(resources.tempDir(), 'data');
  const isPlain = options.args?.includes('--plain-http') ?? false;
  let child = new Child(options, dataDir, options.port ?? 0);
  resources.defer('kill the server', async () => {
    await child.kill('SIGKILL');
  });
  await child.ready();
  const port = options.port ?? Number(/address +https?:\/\/127\.0\.0\.1:(\d+)/.exec(child.stdout)?.[1]);
  const url = `${isPlain ? 'http' : 'https'}://127.0.0.1:${port}`;
  const adminToken = /dur_[\w-]{43}/.exec(child.stdout)?.[0] ?? options.adminToken ?? '';
  const caFile = join(dataDir, 'ca.crt');
  const caCertificate = existsSync(caFile) ? readFileSync(caFile, 'utf8') : '';
  const client = apiClient(resources, { url, adminToken, caCertificate: isPlain ? null : caCertificate });
  return {
    ...client,
    url,
    port,
    dataDir,
    adminToken,
    caCertificate,
    pin: /sha256:[0-9a-f]{64}/.exec(child.stdout)?.[0] ?? '',
    get pid() {
      return child.pid;
    },
    output: () => ({ stdout: child.stdout, stderr: child.stderr }),
    kill: async (signal = 'SIGKILL') => await child.kill(signal),
    start: async () => {
      await child.kill('SIGKILL');
      child = new Child(options, dataDir, port);
      await child.ready();
    },
  };
}

class Child {
  stdout = '';
  stderr = '';
  readonly #process: ChildProcess;
  readonly #ended: Promise<Ending>;

  constructor(options: ServerProcessOptions, dataDir: string, port: number) {
    const program = options.binary === undefined ? fromSource : [options.binary];
    const listen = ['--data-dir', dataDir, '--listen', `127.0.0.1:${port}`];
    const command = [...program, 'server', 'run', ...listen, ...(options.args ?? [])];
    const [file = '', ...args] = options.hosts === undefined ? command : [...withHosts(options.hosts), ...command];
    this.#process = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
    });
    this.#process.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once('error', reject);
      this.#process.once('close', (code, signal) => resolve({ code, signal }));
    });
    // Awaited by `kill`.
    this.#ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** What the server prints once it answers. */
  async ready(): Promise<void> {
    await waitFor(
      'the server to be ready',
      () => {
        if (this.#process.exitCode !== null) throw new Error(`the server ended: ${this.stderr}`);
        return this.stdout.includes(' is ready\n') && this.stdout.endsWith('\n');
      },
      { timeoutMs: readyTimeoutMs, intervalMs: 10 },
    );
  }

  async kill(signal: NodeJS.Signals): Promise<Ending> {
    this.#process.kill(signal);
    return await this.#ended;
  }
}

/** Runs what follows with further lines in /etc/hosts, seen by nobody else (a mount namespace); every part of it execs. */
function withHosts(hosts: Readonly<Record<string, string>>): string[] {
  const lines = Object.entries(hosts).map(([name, address]) => `${address} ${name}`);
  // The file is gone from its folder once it is mounted: nothing is left behind.
  const script =
    'file=$(mktemp) && { cat /etc/hosts; printf "%s\\n" "$1"; } >"$file" && ' +
    'mount --bind "$file" /etc/hosts && rm "$file" && shift && exec "$@"';
  return ['unshare', '--mount', 'sh', '-c', script, 'with-hosts', lines.join('\n')];
}

const fromSource: readonly string[] = [
  join(repoDir, 'node_modules/.bin/node'),
  '--disable-warning=ExperimentalWarning',
  join(repoDir, 'cli/main.ts'),
];
