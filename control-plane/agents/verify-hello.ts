import { createPublicKey, verify } from 'node:crypto';
import { closeCodes, type Hello, helloSchema, protocolVersion } from '../../protocol/agent-frames.ts';
import { helloSignatureInput } from '../../protocol/hello-signature.ts';
import type { ServerContext } from '../context.ts';

export interface HelloRefusal {
  readonly code: number;
  readonly reason: string;
}

export interface VerifiedHello {
  readonly hello: Hello;
  /** The key that signed, `x` of the JWK: what is stored with the hello is stored only while the machine has it. */
  readonly publicKey: string;
  /** The public URL that the machine dialled: the one that it signed, whatever a proxy made of the Host header. */
  readonly origin: string;
}

export interface HelloCheck {
  /** The first frame after the challenge, parsed as JSON. */
  readonly frame: object;
  /** As sent in the challenge. */
  readonly nonce: string;
  /** `Host` header of the upgrade: says which public URL to try first. */
  readonly host: string | undefined;
}

/**
 * Checks version, form, machine and signature, in this order. One signature costs about 0.1 ms; only a server with
 * several public URLs may need more than one.
 */
export function verifyHello(context: ServerContext, { frame, nonce, host }: HelloCheck): VerifiedHello | HelloRefusal {
  const version = versionOf(frame);
  // Before the schema: another version's hello may have other fields.
  if (version !== undefined && version !== protocolVersion) {
    return { code: closeCodes.version, reason: `protocol version ${version}; this server speaks ${protocolVersion}` };
  }
  const parsed = helloSchema.safeParse(frame);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return { code: closeCodes.malformed, reason: `hello: ${issue?.path.join('.')}: ${issue?.message}` };
  }
  const hello = { ...parsed.data, machine_uuid: parsed.data.machine_uuid.toLowerCase() };
  const publicKey = keyOf(context, hello.machine_uuid);
  if (publicKey === undefined) return { code: closeCodes.unknown_machine, reason: 'this machine is not known here' };
  const origin = originsOf(context, host).find((each) => isSignedBy(publicKey, parsed.data, { origin: each, nonce }));
  if (origin === undefined) {
    return {
      code: closeCodes.unauthorized,
      reason: 'the signature is wrong: another key, or a URL that is no --public-url',
    };
  }
  return { hello, publicKey, origin };
}

export function isRefusal(result: VerifiedHello | HelloRefusal): result is HelloRefusal {
  return 'code' in result;
}

function versionOf(frame: object): number | undefined {
  const version: unknown = 'protocol_version' in frame ? frame.protocol_version : undefined;
  return typeof version === 'number' && Number.isInteger(version) ? version : undefined;
}

/** The key of a machine that has enrolled. */
function keyOf(context: ServerContext, machineUuid: string): string | undefined {
  const row = context.db.prepare('SELECT public_key FROM machines WHERE uuid = ?').get(machineUuid);
  const key = row?.['public_key'];
  return typeof key === 'string' ? key : undefined;
}

function originsOf(context: ServerContext, host: string | undefined): readonly string[] {
  const dialled = context.publicUrls.find((url) => url.slice(url.indexOf('://') + 3) === host);
  return dialled === undefined ? context.publicUrls : [dialled, ...context.publicUrls.filter((url) => url !== dialled)];
}

function isSignedBy(publicKey: string, hello: Hello, { origin, nonce }: { origin: string; nonce: string }): boolean {
  const input = helloSignatureInput({ origin, machineUuid: hello.machine_uuid, bootId: hello.boot_id, nonce });
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
    return verify(null, input, key, Buffer.from(hello.signature, 'base64url'));
  } catch {
    // OpenSSL throws on a point that is none: such a key has signed nothing.
    return false;
  }
}
