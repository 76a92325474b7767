import { abortError } from '../base/abort.ts';
import { errnoOf, ProvisionError } from '../base/errors.ts';

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

/** `https://host/path` without query, fragment and credentials: signed URLs must not be logged. */
export function safeUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/**
 * What went wrong between us and a server before its answer began, as a ProvisionError: `tls_untrusted`,
 * `registry_unreachable`, or the reason of the aborted signal.
 */
export function connectError(cause: unknown, url: URL, signal: AbortSignal): ProvisionError {
  if (signal.aborted) return abortError(signal);
  if (cause instanceof ProvisionError) return cause;
  const code = innerCode(cause);
  const facts = { host: url.host, errno: code };
  if (certificateCodes.has(code)) {
    return new ProvisionError('tls_untrusted', `the certificate of ${url.host} is not trusted`, { cause, facts });
  }
  if (notTlsCodes.has(code) && url.protocol === 'https:') {
    return new ProvisionError(
      'registry_unreachable',
      `${url.host} does not speak TLS; if it is meant to be plain HTTP, this must be asked for (--plain-http)`,
      { cause, facts, retryable: false },
    );
  }
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    return new ProvisionError('registry_unreachable', `${url.host} did not answer in time`, { cause, facts });
  }
  return new ProvisionError('registry_unreachable', `${url.host} cannot be reached`, { cause, facts });
}

/** What interrupted a body, as `download_interrupted`, or the reason of the aborted signal. */
export function bodyError(cause: unknown, url: URL, signal: AbortSignal): ProvisionError {
  if (signal.aborted) return abortError(signal);
  if (cause instanceof ProvisionError) return cause;
  return new ProvisionError('download_interrupted', `the connection to ${url.host} broke`, {
    cause,
    facts: { host: url.host, errno: innerCode(cause) },
  });
}

// The code is on the error, on its cause, or on the first of several attempts (one per address).
function innerCode(error: unknown): string {
  const own = errnoOf(error);
  if (error instanceof AggregateError && error.errors.length > 0) return innerCode(error.errors[0]);
  if (own !== undefined && !(error instanceof Error && error.cause !== undefined)) return own;
  if (error instanceof Error && error.cause !== undefined) return innerCode(error.cause) || own || '';
  return own ?? '';
}
