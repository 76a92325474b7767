import { runScriptAsset } from '../../core/base/script-asset.ts';
import { screensAsset } from '../../core/base/worker-sources.ts';

/** What installer/tui/frame.ts exports. */
type Frames = typeof import('./frame.ts');

/**
 * Stands in for frame.ts in the built binary: ink and React are a script of their own, which only an installer with a
 * display ever parses (scripts/build/bundle-screens.ts).
 */
export const { renderFrame } = runScriptAsset<Frames>(screensAsset, {});
