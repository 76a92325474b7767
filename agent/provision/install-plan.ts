import type { DiskFacts, GptPartition } from '../disk/types.ts';
import type { InspectedImage } from './steps/inspect-image.ts';
import type { Firmware } from './types.ts';

/** What an installation is going to do, decided before the first write. */
export interface InstallPlan {
  readonly inspected: InspectedImage;
  /** The target as it was found; checked again right before the first write. */
  readonly diskFacts: DiskFacts;
  readonly isFile: boolean;
  readonly firmware: Firmware;
  /** The root partition; null where only its contents will tell. */
  readonly root: GptPartition | null;
  /** Folder of the agent's bundle; null when no agent is injected. */
  readonly bundleDir: string | null;
  /** Largest zstd window that memory allows, in bytes. */
  readonly maxWindowBytes: number;
  /** For people, one fact a line: what `--dry-run` prints. */
  readonly lines: readonly string[];
}
