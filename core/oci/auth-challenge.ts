/** One challenge of a WWW-Authenticate header; the scheme and the parameters' names in lower case. */
export interface AuthChallenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))\\s*(?:,|$)`, 'y');
const schemePattern = new RegExp(`[\\s,]*(${token})(\\s+|(?=,)|$)`, 'y');
const token68Pattern = /[A-Za-z0-9._~+/-]+=*\s*(?:,|$)/y;

/**
 * Reads all challenges of a WWW-Authenticate header (RFC 9110 section 11.6.1): several may share one line, and
 * commas stand between parameters as well as between challenges. Reading stops at what cannot be understood.
 */
export function parseAuthChallenges(header: string): AuthChallenge[] {
  const challenges: AuthChallenge[] = [];
  let at = 0;
  while (at < header.length) {
    const scheme = matchAt(schemePattern, header, at);
    if (!scheme?.[1]) break;
    at += scheme[0].length;
    const { parameters, next } = readParameters(header, at, scheme[2] !== '');
    challenges.push({ scheme: scheme[1].toLowerCase(), parameters });
    at = next;
  }
  return challenges;
}

function readParameters(
  header: string,
  start: number,
  isOpen: boolean,
): { parameters: Record<string, string>; next: number } {
  const parameters: Record<string, string> = {};
  let at = start;
  for (;;) {
    const match = matchAt(parameterPattern, header, at);
    if (!match?.[1]) break;
    parameters[match[1].toLowerCase()] ??= match[3] ?? (match[2] ?? '').replace(/\\(.)/g, '$1');
    at += match[0].length;
  }
  if (at !== start || !isOpen) return { parameters, next: at };
  // A challenge such as `Negotiate YII…=` carries one blob in place of parameters.
  return { parameters, next: at + (matchAt(token68Pattern, header, at)?.[0].length ?? 0) };
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
