import { ProvisionError } from '../../core/base/errors.ts';
import { assetText } from '../../core/base/sea-asset.ts';
import { glibcFloor } from '../../protocol/bundle-manifest.ts';

export interface InstallScriptValues {
  /** Origin of the server. */
  readonly server: string;
  /** `sha256:…`, or null for a server without a CA of its own. */
  readonly pin: string | null;
  /** `sha256//…`, or null without TLS. */
  readonly leafPin: string | null;
  /** Hex and bytes of the agent's bundle, or why there is none. */
  readonly bundle: { readonly sha256: string; readonly sizeBytes: number } | { readonly missing: string };
}

/** The script as it lies in the repository, or in the built program. */
export function installScriptTemplate(): string {
  return assetText('install.sh', new URL('../../installer/install.sh', import.meta.url));
}

/**
 * install.sh with this server's values in place of `@NAME@`, each as one quoted word of the shell.
 * @throws ProvisionError `invariant` when the template and this function name different places.
 */
export function fillInstallScript(template: string, values: InstallScriptValues): string {
  const { bundle } = values;
  const words: Readonly<Record<string, string>> = {
    SERVER: values.server,
    PIN: values.pin ?? '',
    LEAF_PIN: values.leafPin ?? '',
    BUNDLE_SHA256: 'missing' in bundle ? '' : bundle.sha256,
    BUNDLE_KIB: 'missing' in bundle ? '0' : String(Math.ceil(bundle.sizeBytes / 1024)),
    BUNDLE_MISSING: 'missing' in bundle ? bundle.missing : '',
    GLIBC_FLOOR: glibcFloor,
  };
  const filled = new Set<string>();
  const text = template.replaceAll(/@([A-Z0-9_]+)@/g, (_place, name: string) => {
    const word = words[name];
    if (word === undefined || filled.has(name)) throw mismatch(name);
    filled.add(name);
    return shellWord(word);
  });
  const forgotten = Object.keys(words).find((name) => !filled.has(name));
  if (forgotten !== undefined) throw mismatch(forgotten);
  return text;
}

/** In single quotes, inside which a shell changes nothing. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function mismatch(name: string): ProvisionError {
  return new ProvisionError('invariant', `install.sh has not exactly one place for ${name}`);
}
