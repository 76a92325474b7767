import type { ErrorCode } from '../base/error-codes.ts';
import { ProvisionError } from '../base/errors.ts';
import type { HttpResponse } from './http-get.ts';
import { readableErrorBody } from './readable-error-body.ts';
import { parseRetryAfter } from './retry-after.ts';

const largestErrorBytes = 64 * 1024;

interface StatusMeaning {
  readonly code: ErrorCode;
  readonly text: string;
  readonly retryable: boolean;
}

/**
 * An unwanted HTTP status as a ProvisionError: what was asked for, the status, and the body as readable text.
 * Consumes the body. Facts: status, host, retry_after_ms (null where the server named no time).
 */
export async function statusError(response: HttpResponse, what: string): Promise<ProvisionError> {
  const meaning = meaningOf(response.status);
  const body = readableErrorBody(await bodyText(response));
  const said = body === '' ? '' : ` (${body})`;
  const { host } = response.url;
  return new ProvisionError(meaning.code, `${host} ${meaning.text} ${what}: HTTP ${response.status}${said}`, {
    facts: {
      status: response.status,
      host,
      retry_after_ms: parseRetryAfter(response.header('retry-after'), Date.now()) ?? null,
    },
    retryable: meaning.retryable,
  });
}

function meaningOf(status: number): StatusMeaning {
  if (status === 401 || status === 403) return { code: 'registry_auth', text: 'does not give us', retryable: false };
  if (status === 404) return { code: 'image_not_found', text: 'does not have', retryable: false };
  if (status === 429) return { code: 'registry_rate_limited', text: 'gives no more for now of', retryable: true };
  const retryable = status >= 500 || status === 408;
  return { code: 'registry_error', text: 'failed to give', retryable };
}

// Only the beginning is of interest, and a body that cannot be read does not change what the status says.
async function bodyText(response: HttpResponse): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response.chunks()) {
      parts.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes >= largestErrorBytes) break;
    }
  } catch (error) {
    if (error instanceof ProvisionError && error.kind === 'aborted') throw error;
  }
  return Buffer.concat(parts).subarray(0, largestErrorBytes).toString('utf8');
}
