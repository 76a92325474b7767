import { renameSync, writeFileSync } from 'node:fs';

// glibc takes no more (resolv.conf(5), MAXNS).
const mostNameservers = 3;

/** The file that glibc's resolver reads; replaced in one piece, because it is read at any moment. */
export function writeResolvConf(path: string, nameservers: readonly string[], searchDomains: readonly string[]): void {
  const lines = [
    '# Written by durantic.',
    ...(searchDomains.length > 0 ? [`search ${searchDomains.join(' ')}`] : []),
    ...nameservers.slice(0, mostNameservers).map((address) => `nameserver ${address}`),
  ];
  const temporary = `${path}.durantic`;
  writeFileSync(temporary, `${lines.join('\n')}\n`, { mode: 0o644 });
  renameSync(temporary, path);
}
