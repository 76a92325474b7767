import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { type AptSource, readAptSources } from '../../../images/build/apt-sources.ts';

/** An apt with one source and lists of its own; nothing of the machine's apt changes. */
export interface TemporaryApt extends Disposable {
  /** Runs apt-get; gives its standard output. */
  run(args: readonly string[], cwd?: string): Promise<string>;
}

export interface AptSuite {
  readonly type: 'deb' | 'deb-src';
  readonly suite: string;
  readonly component: string;
}

const archiveKeys = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Opens a suite of the Debian mirror that this machine's own sources name, and fetches its index, which the archive's
 * keys have signed (sources.list(5), apt.conf(5)).
 * @throws Error when the machine has no Debian source; ProvisionError `tool_missing`, `tool_failed`.
 */
export async function openTemporaryApt(suite: AptSuite, signal: AbortSignal): Promise<TemporaryApt> {
  const line = sourceLine(await machineMirror(signal), suite);
  const folder = mkdtempSync(join(tmpdir(), 'durantic-apt-'));
  const apt: TemporaryApt = {
    run: async (args, cwd) => {
      const options = { signal, env: { DEBIAN_FRONTEND: 'noninteractive' }, ...(cwd === undefined ? {} : { cwd }) };
      return (await runCommand('apt-get', [...aptOptions(folder), ...args], options)).stdout;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  try {
    for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'sources.list'), line);
    writeFileSync(join(folder, 'status'), '');
    await apt.run(['-qq', 'update']);
  } catch (error) {
    apt[Symbol.dispose]();
    throw error;
  }
  return apt;
}

/** A line of a sources.list for one suite of the mirror. */
export function sourceLine(mirror: string, { type, suite, component }: AptSuite, keys: string = archiveKeys): string {
  const options = existsSync(keys) ? `[signed-by=${keys}] ` : '';
  return `${type} ${options}${mirror} ${suite} ${component}\n`;
}

/** The archive that the machine's own release comes from, whichever form its sources are written in. */
async function machineMirror(signal: AbortSignal): Promise<string> {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (codename === undefined) throw new Error('/etc/os-release names no Debian release to take a mirror for');
  let sources = await readAptSources(codename, signal);
  if (sources.length === 0) {
    // Fresh containers come without lists.
    await runCommand('apt-get', ['-qq', 'update'], { signal });
    sources = await readAptSources(codename, signal);
  }
  return mirrorOf(sources, codename);
}

/** @throws Error when none of the sources is the release itself. */
export function mirrorOf(sources: readonly AptSource[], codename: string): string {
  const own = sources.find(({ release, component }) => release === codename && component === 'main');
  if (own === undefined) throw new Error(`the apt sources of this machine name no Debian mirror of ${codename}`);
  return own.uri;
}

function aptOptions(folder: string): string[] {
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Architecture': 'amd64',
    'APT::Architectures': 'amd64',
    // The folder is root's; apt's own user could not write there.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}
