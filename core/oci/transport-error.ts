import { abortError } from '../base/abort.ts';
import { ProvisionError } from '../base/errors.ts';
import { transportFailure } from '../base/transport-failure.ts';

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
  const { kind, code } = transportFailure(cause);
  const facts = { host: url.host, errno: code };
  if (kind === 'untrusted') {
    return new ProvisionError('tls_untrusted', `the certificate of ${url.host} is not trusted`, { cause, facts });
  }
  if (kind === 'not_tls' && url.protocol === 'https:') {
    return new ProvisionError(
      'registry_unreachable',
      `${url.host} does not speak TLS; if it is meant to be plain HTTP, this must be asked for (--plain-http)`,
      { cause, facts, retryable: false },
    );
  }
  if (kind === 'silent') {
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
    facts: { host: url.host, errno: transportFailure(cause).code },
  });
}
