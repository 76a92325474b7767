import * as errors from '../core/base/errors.ts';
import { runScriptAsset } from '../core/base/script-asset.ts';
import { installerAsset } from '../core/base/worker-sources.ts';

/** What installer/installer-script.ts exports. */
type InstallerModule = typeof import('../installer/installer-script.ts');

/**
 * Stands in for installer/run-installer.ts in the built binary: the installer is a script of its own, so that no other
 * command parses it, and one whose code cache holds all that it runs at its start (scripts/build/bundle-installer.ts).
 */
export const { runInstaller } = runScriptAsset<InstallerModule>(installerAsset, { errors });
