/** What an agent signs in its hello, each part length-prefixed (protocol.md, "Agent socket", note 1). */
export interface HelloSignatureParts {
  /** Origin that the agent dialled, `https://host:8443`: one of the server's public URLs. */
  readonly origin: string;
  readonly machineUuid: string;
  readonly bootId: string;
  /** Base64url as sent in the challenge. */
  readonly nonce: string;
}

/** The bytes under the hello's Ed25519 signature. */
export function helloSignatureInput(parts: HelloSignatureParts): Uint8Array {
  return lengthPrefixed(['durantic-hello-v1', parts.origin, parts.machineUuid, parts.bootId, parts.nonce]);
}

/** Each part as a 32-bit big-endian byte count and its UTF-8 bytes, so that no two lists give the same bytes. */
function lengthPrefixed(parts: readonly string[]): Uint8Array {
  const encoded = parts.map((part) => new TextEncoder().encode(part));
  const out = new Uint8Array(encoded.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(out.buffer);
  let offset = 0;
  for (const bytes of encoded) {
    view.setUint32(offset, bytes.length);
    out.set(bytes, offset + 4);
    offset += 4 + bytes.length;
  }
  return out;
}
