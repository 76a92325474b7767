import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';

/** One suite of an archive that this machine's apt is set up for. */
export interface AptSource {
  readonly uri: string;
  /** `bookworm`, `bookworm-updates`, `bookworm-security`, … */
  readonly release: string;
  readonly component: string;
}

const format = '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ARCHITECTURE)|$(ORIGIN)';

/**
 * The Debian archives in this machine's apt sources, so that no mirror is named here. Sources of other origins
 * (vendors' repositories) are left out: their suites do not begin with the machine's codename.
 * @throws ProvisionError `tool_missing`, `tool_failed`.
 */
export async function readAptSources(codename: string, signal: AbortSignal): Promise<AptSource[]> {
  const { stdout } = await runCommand('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
    signal,
  });
  return parseIndexTargets(stdout, codename);
}

/** The lines of `apt-get indextargets` whose suite belongs to the release `codename`. */
export function parseIndexTargets(text: string, codename: string): AptSource[] {
  const isOurs = (release: string): boolean =>
    [codename, `${codename}-updates`, `${codename}-security`].includes(release);
  const seen = new Set<string>();
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const [uri, release, component, architecture] = line.split('|');
    if (uri === undefined || release === undefined || component === undefined) continue;
    if (!isOurs(release) || !['amd64', 'all'].includes(architecture ?? '')) continue;
    const key = `${uri} ${release} ${component}`;
    if (!seen.has(key)) sources.push({ uri, release, component });
    seen.add(key);
  }
  return sources;
}

/**
 * The same archives for another release of the distribution, as lines of a sources.list.
 * @throws ProvisionError `image_build_failed` when the machine has no Debian source to take a mirror from.
 */
export function sourcesList(sources: readonly AptSource[], change: { from: string; to: string }): string {
  const bySuite = new Map<string, string[]>();
  for (const { uri, release, component } of sources) {
    const suite = `${uri} ${change.to}${release.slice(change.from.length)}`;
    bySuite.set(suite, [...(bySuite.get(suite) ?? []), component]);
  }
  if (![...bySuite.keys()].some((suite) => suite.endsWith(` ${change.to}`))) {
    throw new ProvisionError(
      'image_build_failed',
      `the apt sources of this machine have no Debian archive of ${change.from} to take a mirror from`,
    );
  }
  return [...bySuite].map(([suite, components]) => `deb ${suite} ${components.join(' ')}\n`).join('');
}
