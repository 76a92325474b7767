import { ProvisionError } from '../base/errors.ts';
import { isDigest } from '../stream/parse-digest.ts';

export interface RegistryReference {
  readonly kind: 'registry';
  /** The name credentials are kept under: `docker.io`, `registry.example:5000`. */
  readonly registry: string;
  /** host[:port] to connect to; differs from `registry` for docker.io only. */
  readonly host: string;
  readonly name: string;
  readonly tag: string | null;
  readonly digest: string | null;
  /** The complete form, for people. */
  readonly canonical: string;
}

export interface LayoutReference {
  readonly kind: 'layout';
  readonly dir: string;
  readonly tag: string | null;
  readonly canonical: string;
}

export type ImageReference = RegistryReference | LayoutReference;

const dockerHubHost = 'registry-1.docker.io';
const hostPattern =
  /^(?:\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::([0-9]{1,5}))?$/;
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const longestName = 255;

/**
 * Reads `[HOST[:PORT]/]NAME[:TAG][@DIGEST]` with docker's defaults (distribution/reference: no host means docker.io,
 * no folder there means `library`, no tag and no digest means `latest`; a tag beside a digest is kept for display
 * only), or `oci:DIR[:TAG]` as skopeo reads it: the folder ends at the first colon.
 * @throws ProvisionError `reference_invalid`.
 */
export function parseReference(text: string): ImageReference {
  if (text.startsWith('oci:')) return parseLayout(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw invalid(text, 'it has a scheme, and an image reference has none (HOST[:PORT]/NAME[:TAG][@DIGEST])');
  }
  const { rest: withoutDigest, digest } = splitDigest(text);
  const { host, path } = splitHost(withoutDigest);
  const { name: pathName, tag } = splitTag(text, path);
  const registry = host === undefined || host === 'index.docker.io' ? 'docker.io' : host;
  if (host !== undefined) checkHost(text, host);
  const name = registry === 'docker.io' && !pathName.includes('/') ? `library/${pathName}` : pathName;
  checkName(text, name);
  const effectiveTag = tag ?? (digest === null ? 'latest' : null);
  const canonical = `${registry}/${name}${effectiveTag === null ? '' : `:${effectiveTag}`}${digest === null ? '' : `@${digest}`}`;
  return {
    kind: 'registry',
    registry,
    host: registry === 'docker.io' ? dockerHubHost : registry,
    name,
    tag: effectiveTag,
    digest,
    canonical,
  };
}

function parseLayout(text: string): LayoutReference {
  const path = text.slice('oci:'.length);
  const colon = path.indexOf(':');
  const dir = colon === -1 ? path : path.slice(0, colon);
  const tag = colon === -1 ? null : path.slice(colon + 1);
  if (dir === '') throw invalid(text, 'the folder is missing (oci:DIR[:TAG])');
  if (tag === '') throw invalid(text, 'the tag is empty');
  if (dir.includes('\0')) throw invalid(text, 'the folder has a null character');
  return { kind: 'layout', dir, tag, canonical: text };
}

function splitDigest(text: string): { rest: string; digest: string | null } {
  const at = text.indexOf('@');
  if (at === -1) return { rest: text, digest: null };
  const digest = text.slice(at + 1);
  if (!isDigest(digest)) throw invalid(text, 'what follows the @ is not a sha256 or sha512 digest');
  return { rest: text.slice(0, at), digest };
}

// The first component is a host only when it could not be a folder of docker.io.
function splitHost(text: string): { host: string | undefined; path: string } {
  const slash = text.indexOf('/');
  if (slash === -1) return { host: undefined, path: text };
  const first = text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  return isHost ? { host: first, path: text.slice(slash + 1) } : { host: undefined, path: text };
}

function splitTag(text: string, path: string): { name: string; tag: string | null } {
  const colon = path.indexOf(':');
  if (colon === -1) return { name: path, tag: null };
  const tag = path.slice(colon + 1);
  if (!tagPattern.test(tag)) throw invalid(text, `${JSON.stringify(tag)} is not a tag`);
  return { name: path.slice(0, colon), tag };
}

function checkHost(text: string, host: string): void {
  const match = hostPattern.exec(host);
  const port = match?.[1];
  if (!match || (port !== undefined && (Number(port) === 0 || Number(port) > 65_535))) {
    throw invalid(text, `${JSON.stringify(host)} is not a host and port`);
  }
}

function checkName(text: string, name: string): void {
  if (name.length > longestName) throw invalid(text, `its name is longer than ${longestName} characters`);
  const wrong = name.split('/').find((component) => !componentPattern.test(component));
  if (wrong === undefined) return;
  const hint = wrong !== wrong.toLowerCase() ? ' (names are lower case)' : '';
  throw invalid(
    text,
    wrong === '' ? 'a part of its name is empty' : `${JSON.stringify(wrong)} cannot be part of a name${hint}`,
  );
}

function invalid(text: string, why: string): ProvisionError {
  return new ProvisionError(
    'reference_invalid',
    `${JSON.stringify(withoutUserInfo(text))} is not an image reference: ${why}`,
  );
}

// `https://user:password@host/…` pasted by mistake must not put the password into a log.
function withoutUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1…@');
}
