import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import type { BundleFile } from '../../protocol/bundle-manifest.ts';
import { parseAgentConfig } from '../config/read-agent-config.ts';
import type { ProvisionRecord } from '../identity/provision-record.ts';
import type { MachineIdentity } from '../identity/read-identity.ts';
import { agentUnit } from './agent-unit.ts';
import type { LocatedBundle } from './locate-bundle.ts';
import { agentPaths, impossible, planInjection } from './plan-injection.ts';
import { RootFiles, rootError } from './root-files.ts';
import type { RootfsContext } from './types.ts';

export interface InjectAgentOptions {
  readonly root: string;
  /** From `locateBundle`. */
  readonly bundle: Pick<LocatedBundle, 'dir' | 'manifest'>;
  /** Contents of agent.yaml; null leaves what the image has. */
  readonly agentConfig: string | null;
  readonly identity: MachineIdentity | null;
  readonly record: ProvisionRecord;
}

export interface InjectionResult {
  readonly version: string;
  readonly glibcVersion: string;
  /** Names of fallback libraries that the image lacked. */
  readonly laidDown: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Puts the agent into a root filesystem: the whole bundle in `/usr/local/lib/durantic`, a link in `/usr/local/bin`,
 * agent.yaml and identity where given, provision.json, and the systemd unit, enabled by its symlink. Every file of the
 * bundle is compared with the manifest's SHA-256 while it is copied. Everything is planned before the first write.
 * @throws ProvisionError `injection_impossible` with the reason; `digest_mismatch`, `size_mismatch` for a damaged bundle;
 *   `document_invalid` for agent.yaml; `root_full`, `device_io`.
 */
export async function injectAgent(options: InjectAgentOptions, ctx: RootfsContext): Promise<InjectionResult> {
  const files = new RootFiles(options.root);
  const { manifest } = options.bundle;
  if (options.agentConfig !== null) parseAgentConfig(options.agentConfig, 'agent.yaml');
  const plan = planInjection(files, manifest);
  try {
    files.remove(agentPaths.bundle);
    files.makeDir(agentPaths.bundle, 0o755);
    for (const file of manifest.files) await copyVerified(files, options.bundle.dir, file, { to: file.path, ctx });
    for (const file of plan.layDown) {
      await copyVerified(files, options.bundle.dir, file, { to: basename(file.path), ctx });
    }
    files.write(`${agentPaths.bundle}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`, 0o644);
    const program = manifest.files.find(({ role }) => role === 'program')?.path ?? 'durantic';
    files.symlink(posix.relative(dirname(agentPaths.link), `${agentPaths.bundle}/${program}`), agentPaths.link);
    writeState(files, options);
    files.write(agentPaths.unit, agentUnit, 0o644);
    files.symlink(agentPaths.unit, agentPaths.wants);
  } catch (error) {
    throw asImpossible(error);
  }
  const laidDown = plan.layDown.map(({ path }) => basename(path));
  ctx.log.debug({ version: manifest.version, glibc: plan.glibcVersion, laidDown }, 'agent injected');
  return { version: manifest.version, glibcVersion: plan.glibcVersion, laidDown, warnings: [] };
}

function writeState(files: RootFiles, options: InjectAgentOptions): void {
  if (options.agentConfig !== null) files.write(agentPaths.config, options.agentConfig, 0o600);
  files.makeDir(agentPaths.state, 0o700);
  files.chmod(agentPaths.state, 0o700);
  files.write(`${agentPaths.state}/provision.json`, `${JSON.stringify(options.record, null, 2)}\n`, 0o600);
  if (options.identity === null) return;
  files.write(`${agentPaths.state}/identity.json`, `${JSON.stringify(options.identity, null, 2)}\n`, 0o600);
}

/** Copies one file of the bundle and compares what went through with the manifest. */
async function copyVerified(
  files: RootFiles,
  bundleDir: string,
  file: BundleFile,
  { to, ctx }: { to: string; ctx: RootfsContext },
): Promise<void> {
  const path = `${agentPaths.bundle}/${to}`;
  const source = join(bundleDir, file.path);
  // Makes the inode with its owner and mode; the contents follow.
  files.write(path, '', Number.parseInt(file.mode, 8));
  const hash = createHash('sha256');
  let sizeBytes = 0;
  await using target = await open(files.hostPath(path), 'a');
  try {
    // A loop, no pipeline: one into a FileHandle's stream that does not close itself never settled.
    for await (const chunk of createReadStream(source, { highWaterMark: 1 << 20, signal: ctx.signal })) {
      hash.update(chunk as Buffer);
      sizeBytes += (chunk as Buffer).byteLength;
      await target.appendFile(chunk as Buffer);
    }
  } catch (cause) {
    if (ctx.signal.aborted) throw cause;
    if (errnoOf(cause) === 'ENOENT') throw damaged('size_mismatch', `the agent bundle lacks ${file.path}`, file);
    throw rootError(`could not copy the agent to ${path} in the root filesystem`, path, cause);
  }
  if (sizeBytes !== file.bytes) throw damaged('size_mismatch', `${source} is not as long as its manifest says`, file);
  if (hash.digest('hex') !== file.sha256) {
    throw damaged('digest_mismatch', `${source} does not have the SHA-256 of its manifest`, file);
  }
}

function damaged(code: 'size_mismatch' | 'digest_mismatch', message: string, file: BundleFile): ProvisionError {
  return new ProvisionError(code, message, { facts: { file: file.path, sha256_expected: file.sha256 } });
}

const readOnlyErrnos: Readonly<Record<string, string>> = {
  EROFS: 'is read-only',
  EPERM: 'is immutable',
  EACCES: 'cannot be written',
};

/** A folder that refuses to be written (chattr +i, a read-only filesystem) is a property of the image. */
function asImpossible(error: unknown): unknown {
  if (!(error instanceof ProvisionError)) return error;
  const { errno, path } = error.facts;
  const why = readOnlyErrnos[String(errno)];
  if (why === undefined || typeof path !== 'string') return error;
  return impossible(`${path} of the image ${why}, so the agent cannot be installed there`, { path });
}
