const hidden = '(hidden)';

/**
 * A text without what nobody may read in a log (failure row F27): bootstrap tokens, as a kernel parameter or wherever
 * they stand (compact JWE, RFC 7516 section 7.1), and user names and passwords in URLs. For texts that come from
 * elsewhere, such as the kernel's log, which begins with its command line.
 */
export function hideSecrets(text: string): string {
  return text
    .replace(/(\bdurantic\.token=)("[^"]*"?|\S+)/g, `$1${hidden}`)
    .replace(/\beyJ[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+/g, hidden)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${hidden}@`);
}
