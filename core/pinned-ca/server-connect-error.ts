import { abortError } from '../base/abort.ts';
import { ProvisionError } from '../base/errors.ts';
import { transportFailure } from '../base/transport-failure.ts';

/**
 * Why the durantic server gave no answer: `server_untrusted`, `server_unreachable`, or the reason of the aborted signal.
 */
export function serverConnectError(cause: unknown, url: URL, signal?: AbortSignal): ProvisionError {
  if (signal?.aborted) return abortError(signal);
  if (cause instanceof ProvisionError) return cause;
  const { kind, code } = transportFailure(cause);
  const facts = { host: url.host, errno: code };
  if (kind === 'untrusted') {
    const message = `the certificate of the server ${url.host} is not trusted`;
    return new ProvisionError('server_untrusted', message, { cause, facts });
  }
  if (kind === 'not_tls' && url.protocol === 'https:') {
    const message = `the server ${url.host} does not speak TLS; write http:// if it is meant to be plain HTTP`;
    return new ProvisionError('server_unreachable', message, { cause, facts, retryable: false });
  }
  const isLate = kind === 'silent' || (cause instanceof Error && cause.name === 'TimeoutError');
  const what = isLate ? 'did not answer in time' : 'cannot be reached';
  return new ProvisionError('server_unreachable', `the server ${url.host} ${what}`, { cause, facts });
}
