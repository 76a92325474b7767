import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';

export interface Certificates {
  readonly caFile: string;
  /** For 127.0.0.1 and localhost, signed by the CA. */
  readonly certFile: string;
  readonly keyFile: string;
}

const days = '2';

/** A CA made for this test and a server certificate signed by it. */
export async function makeCertificates(resources: Resources): Promise<Certificates> {
  const dir = resources.tempDir('durantic-tls-');
  const at = (name: string): string => join(dir, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await runCommand('openssl', [
    ...['req', '-x509', ...key, '-days', days, '-subj', '/CN=durantic test CA'],
    ...['-addext', 'keyUsage=critical,keyCertSign', '-keyout', at('ca.key'), '-out', at('ca.pem')],
  ]);
  await runCommand('openssl', [
    'req',
    ...key,
    '-subj',
    '/CN=localhost',
    '-keyout',
    at('tls.key'),
    '-out',
    at('tls.csr'),
  ]);
  await writeFile(at('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  await runCommand('openssl', [
    ...['x509', '-req', '-in', at('tls.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'],
    ...['-days', days, '-extfile', at('ext'), '-out', at('tls.pem')],
  ]);
  return { caFile: at('ca.pem'), certFile: at('tls.pem'), keyFile: at('tls.key') };
}
