import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';
import { testGuest } from './guest-initramfs.ts';
import { cacheDir } from './guest-kernel.ts';
import { startVm } from './qemu.ts';

const source = new URL('replay-log.c', import.meta.url).pathname;

/** The replayer, compiled once per version of its source: static, for the host and for any guest. */
export async function replayLogProgram(): Promise<string> {
  const key = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const program = join(cacheDir, 'replay-log', key);
  if (existsSync(program)) return program;
  mkdirSync(join(cacheDir, 'replay-log'), { recursive: true });
  const draft = `${program}.${process.pid}`;
  await runCommand('gcc', ['-static', '-O2', '-Wall', '-Wextra', '-Werror', '-o', draft, source]);
  renameSync(draft, program);
  return program;
}

/** Applies the entries `from` to `to - 1` of a log to a file of the host. */
export async function replayOnHost(logFile: string, targetFile: string, from: number, to: number): Promise<void> {
  await runCommand(await replayLogProgram(), [logFile, targetFile, String(from), String(to)]);
}

export interface Replay {
  readonly logFile: string;
  /** The disk as it was before the first entry; it is changed. */
  readonly diskFile: string;
  /** Ascending numbers of entries. */
  readonly points: readonly number[];
}

/**
 * Replays logs inside a guest, each onto its disk, and has the guest's kernel read the partition table again at every
 * point. Gives per replay the number of partitions seen at each point.
 */
export async function replayInGuest(
  resources: Resources,
  replays: readonly Replay[],
  options: { timeoutMs: number },
): Promise<Map<number, number>[]> {
  const kernel = await testGuest({ files: { '/usr/bin/replay-log': await replayLogProgram() } });
  const dir = resources.tempDir();
  const points = replays.map(({ points: list }, index) => {
    const file = join(dir, `points-${index}`);
    writeFileSync(file, `${list.join('\n')}\n`);
    return [`points-${index}`, { file }] as const;
  });
  const lines = replays.map(
    (_, index) => `guest_input points-${index} >/points-${index}
      { replay-log "$(disk_of LOG${index})" "$(disk_of DISK${index})" /points-${index} >/seen-${index}
        echo "replayed ${index} at $(cut -d' ' -f1 /proc/uptime) s"; } &
      replay${index}=$!`,
  );
  const ends = replays.map((_, index) => `wait "$replay${index}"`);
  const facts = replays.map((_, index) => `\\"${index}\\":\\"$(tr '\\n' ';' </seen-${index})\\"`).join(',');
  const vm = await startVm(resources, {
    name: 'replay',
    firmware: 'seabios',
    network: null,
    kernel,
    disks: replays.flatMap(({ logFile, diskFile }, index) => [
      { file: logFile, serial: `LOG${index}`, readOnly: true },
      { file: diskFile, serial: `DISK${index}` },
    ]),
    fwCfg: { script: `${[...lines, ...ends].join('\n')}\nprove replay "{${facts}}"`, ...Object.fromEntries(points) },
    extraArgs: ['-no-reboot'],
  });
  const proof = await vm.waitForProof('replay', options);
  await vm.waitForPoweroff({ timeoutMs: 60_000 });
  return replays.map(({ points: list }, index) => {
    const seen = parseSeen(String(proof.facts[String(index)]));
    if (seen.size !== new Set(list).size)
      throw new Error(`replay ${index}: ${seen.size} of ${list.length} points came back`);
    return seen;
  });
}

function parseSeen(text: string): Map<number, number> {
  const lines = text.split(';').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [point, partitions] = line.split(' ').map(Number);
      if (point === undefined || partitions === undefined || Number.isNaN(partitions))
        throw new Error(`not a point: ${line}`);
      return [point, partitions];
    }),
  );
}
