import { errnoOf } from './errors.ts';

/**
 * Why no answer came: `untrusted` = the certificate was refused, `not_tls` = the peer does not speak TLS, `silent` = it
 * took the request and said nothing, `unreachable` = everything else (no route, no name, refused, broken).
 */
export type TransportFailureKind = 'untrusted' | 'not_tls' | 'silent' | 'unreachable';

const certificateCodes = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const notTlsCodes = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO']);

/** What an error of undici, `node:net` or `node:tls` says about the connection, with the innermost code ('' when none). */
export function transportFailure(cause: unknown): { readonly kind: TransportFailureKind; readonly code: string } {
  const code = innerCode(cause);
  if (certificateCodes.has(code)) return { kind: 'untrusted', code };
  if (notTlsCodes.has(code)) return { kind: 'not_tls', code };
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return { kind: 'silent', code };
  return { kind: 'unreachable', code };
}

// The code is on the error, on its cause, or on the first of several attempts (one per address).
function innerCode(error: unknown): string {
  const own = errnoOf(error);
  if (error instanceof AggregateError && error.errors.length > 0) return innerCode(error.errors[0]);
  if (own !== undefined && !(error instanceof Error && error.cause !== undefined)) return own;
  if (error instanceof Error && error.cause !== undefined) return innerCode(error.cause) || own || '';
  return own ?? '';
}
