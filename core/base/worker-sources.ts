/** The threads of the program: name and the module that each runs, from the repository's root. */
export const workerSources = {
  'template-worker': 'control-plane/jinja/template-worker.ts',
} as const;

export type WorkerName = keyof typeof workerSources;

/** Name of the SEA asset that holds a worker's code. */
export function workerAsset(name: WorkerName): string {
  return `${name}.js`;
}

/** Name of the SEA asset that holds `durantic server`, a script of its own (scripts/build/bundle-server.ts). */
export const serverAsset = 'server-program.js';

/** Name of the SEA asset that holds the installer's screens (scripts/build/bundle-screens.ts). */
export const screensAsset = 'screens.js';

/** Name of the SEA asset that holds the program itself (scripts/build/bundle-program.ts). */
export const programAsset = 'program.js';

/** Name of the SEA asset that holds `durantic installer`, a script of its own (scripts/build/bundle-installer.ts). */
export const installerAsset = 'installer-program.js';
