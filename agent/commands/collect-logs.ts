import { open } from 'node:fs/promises';
import { describeError } from '../../core/base/describe-error.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { hideSecrets } from '../../core/base/hide-secrets.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { streamCommand } from '../../core/base/stream-command.ts';

/** A part of the journal: its name in the output, and what journalctl(1) selects it by. */
export interface JournalPart {
  readonly name: string;
  readonly select: readonly string[];
}

export interface LogSources {
  /** None where there is no journal. */
  readonly journal?: readonly JournalPart[];
  readonly files: readonly string[];
  /** Programs that print a log, each with its arguments. */
  readonly programs?: readonly (readonly [string, ...string[]])[];
}

export interface CollectLogsOptions {
  readonly sources: LogSources;
  /** RFC 3339; null: all that are kept. */
  readonly since: string | null;
  readonly signal: AbortSignal;
  /** Newest bytes that are taken of each source; default 1 MiB. */
  readonly mostBytes?: number;
}

/** What the agent, cloud-init and the kernel wrote on an installed system, in all boots that its journal has. */
export const installedLogSources: LogSources = {
  journal: [
    { name: 'durantic-agent.service', select: ['--unit', 'durantic-agent.service'] },
    // `--dmesg` would be this boot only, and what a machine died of is in the one before.
    { name: 'the kernel', select: ['_TRANSPORT=kernel'] },
  ],
  files: ['/var/log/cloud-init.log', '/var/log/cloud-init-output.log'],
};

const frameBytes = 256 * 1024;
const lineCharacters = 8 * 1024;

/**
 * The newest lines of each source, oldest first, in pieces of at most 256 KiB (as JSON); each source begins with a line
 * that names it. A source that cannot be read says why in its place. Tokens and passwords are left out (failure row F27):
 * the kernel's log holds its command line.
 * @throws ProvisionError `aborted`.
 */
export async function* collectLogs(options: CollectLogsOptions): AsyncGenerator<string[]> {
  const { sources, signal } = options;
  const { journal = [], programs = [] } = sources;
  for (const { name, select } of journal) {
    if (signal.aborted) return;
    yield* inPieces([`== journal of ${name}`, ...(await journalLines(select, options))]);
  }
  for (const file of sources.files) {
    if (signal.aborted) return;
    yield* inPieces([`== ${file}`, ...(await fileLines(file, options))]);
  }
  for (const [program, ...args] of programs) {
    if (signal.aborted) return;
    yield* inPieces([`== ${[program, ...args].join(' ')}`, ...(await programLines(program, args, options))]);
  }
}

async function journalLines(
  select: readonly string[],
  { since, signal, mostBytes }: Omit<CollectLogsOptions, 'sources'>,
): Promise<string[]> {
  // Newest first, so that the reading can stop when there is enough.
  const args = [...select, '--no-pager', '--quiet', '--reverse', '--output', 'short-iso-precise'];
  if (since !== null) args.push(`--since=@${Math.floor(Date.parse(since) / 1000)}`);
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  const limitBytes = mostBytes ?? 1024 * 1024;
  try {
    for await (const chunk of streamCommand('journalctl', args, { signal })) {
      parts.push(chunk as Buffer);
      sizeBytes += (chunk as Buffer).length;
      if (sizeBytes >= limitBytes) break;
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return [`(not to be read: ${describeError(error)})`];
  }
  const text = Buffer.concat(parts).subarray(0, limitBytes).toString('utf8');
  const isCut = sizeBytes >= limitBytes;
  return [
    ...linesOf(text)
      .reverse()
      .slice(isCut ? 1 : 0),
  ];
}

/** All that a program prints, but the newest bytes only. */
async function programLines(
  program: string,
  args: readonly string[],
  { signal, mostBytes }: Omit<CollectLogsOptions, 'sources'>,
): Promise<string[]> {
  const limitBytes = mostBytes ?? 1024 * 1024;
  try {
    const { stdout } = await runCommand(program, args, { signal, timeoutMs: 30_000 });
    const bytes = Buffer.from(stdout);
    const lines = linesOf(bytes.subarray(Math.max(0, bytes.length - limitBytes)).toString('utf8'));
    return lines.slice(bytes.length > limitBytes ? 1 : 0);
  } catch (error) {
    if (signal.aborted) throw error;
    return [`(not to be read: ${describeError(error)})`];
  }
}

async function fileLines(path: string, { since, mostBytes }: CollectLogsOptions): Promise<string[]> {
  const limitBytes = mostBytes ?? 1024 * 1024;
  try {
    await using file = await open(path, 'r');
    const { size, mtimeMs } = await file.stat();
    if (since !== null && mtimeMs < Date.parse(since)) return [];
    const start = Math.max(0, size - limitBytes);
    const buffer = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    return linesOf(buffer.subarray(0, bytesRead).toString('utf8')).slice(start === 0 ? 0 : 1);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return ['(does not exist)'];
    return [
      `(not to be read: ${describeError(new ProvisionError('permission', `${path} cannot be read`, { cause }))})`,
    ];
  }
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => hideSecrets(line).slice(0, lineCharacters));
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function* inPieces(lines: readonly string[]): Generator<string[]> {
  let piece: string[] = [];
  let sizeBytes = 0;
  for (const line of lines) {
    const lineBytes = Buffer.byteLength(JSON.stringify(line)) + 1;
    if (sizeBytes + lineBytes > frameBytes - 1024 && piece.length > 0) {
      yield piece;
      piece = [];
      sizeBytes = 0;
    }
    piece.push(line);
    sizeBytes += lineBytes;
  }
  if (piece.length > 0) yield piece;
}
