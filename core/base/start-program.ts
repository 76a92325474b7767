import { runScriptAsset } from './script-asset.ts';
import { programAsset } from './worker-sources.ts';

// What the binary starts with. The program is an asset like its other parts, because Node makes no reproducible code
// cache of a SEA's main script, and takes none for it.
runScriptAsset(programAsset, {});
