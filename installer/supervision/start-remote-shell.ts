import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';

export interface RemoteShellOptions {
  /** OpenSSH public keys, one each. */
  readonly authorizedKeys: readonly string[];
  /** Ends the start only. */
  readonly signal: AbortSignal;
  /** `[ADDRESS:]PORT`; default 22 on all addresses. */
  readonly listen?: string;
  /** Holds host key and process id; in memory. */
  readonly runDir?: string;
  /** Home of root, where dropbear looks for `.ssh/authorized_keys`. */
  readonly homeDir?: string;
}

export interface RemoteShell {
  readonly port: number;
  /** Of the host key, `SHA256:…` as ssh shows it at the first connection. */
  readonly fingerprint: string;
  /** Takes no more connections; those that are there stay. */
  readonly end: () => void;
}

/**
 * Starts dropbear: root, by key only, no forwarding, a host key made at this boot. It is a process of its own and stays
 * when the installer crashes, since that is when it is wanted; the next start finds it and exchanges only the keys.
 * @throws ProvisionError `tool_missing`, `tool_failed` (the port is taken), `aborted`.
 */
export async function startRemoteShell(options: RemoteShellOptions): Promise<RemoteShell> {
  const { signal, listen = '22', runDir = '/run/durantic', homeDir = '/root' } = options;
  const paths = { key: join(runDir, 'ssh_host_ed25519_key'), pid: join(runDir, 'dropbear.pid') };
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  mkdirSync(join(homeDir, '.ssh'), { recursive: true, mode: 0o700 });
  const keys = options.authorizedKeys.map((key) => `${key}\n`).join('');
  writeFileSync(join(homeDir, '.ssh', 'authorized_keys'), keys, { mode: 0o600 });

  const fingerprint = await hostKey(paths.key, signal);
  if (runningPid(paths.pid) === null) await startDropbear({ ...paths, listen, signal });
  const port = Number(listen.slice(listen.lastIndexOf(':') + 1));
  return { port, fingerprint, end: () => endDropbear(paths.pid) };
}

async function hostKey(file: string, signal: AbortSignal): Promise<string> {
  if (!existsSync(file)) await runCommand('dropbearkey', ['-t', 'ed25519', '-f', file], { signal });
  const { stdout } = await runCommand('dropbearkey', ['-y', '-f', file], { signal });
  const fingerprint = /^Fingerprint: (SHA256:\S+)$/m.exec(stdout)?.[1];
  if (fingerprint !== undefined) return fingerprint;
  throw new ProvisionError('tool_failed', 'dropbearkey does not say the fingerprint of the host key');
}

interface DropbearOptions {
  readonly key: string;
  readonly pid: string;
  readonly listen: string;
  readonly signal: AbortSignal;
}

async function startDropbear({ key, pid, listen, signal }: DropbearOptions): Promise<void> {
  rmSync(pid, { force: true });
  const access = ['-s', '-g', '-j', '-k', '-m'];
  // Dead connections are noticed; a person who reads for a while is not thrown out.
  const patience = ['-K', '60', '-T', '3'];
  await runCommand('dropbear', ['-r', key, '-P', pid, '-p', listen, ...access, ...patience], { signal });
}

function endDropbear(pidFile: string): void {
  const pid = runningPid(pidFile);
  if (pid !== null) process.kill(pid, 'SIGTERM');
}

/** The process in the file, if it is dropbear still: numbers are used again. */
function runningPid(pidFile: string): number | null {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    const program = basename(readlinkSync(`/proc/${pid}/exe`));
    return program === 'dropbear' ? pid : null;
  } catch {
    return null;
  }
}
