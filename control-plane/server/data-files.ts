import { join } from 'node:path';

/** The files of a data directory, all of them 0600 in a folder of 0700. */
export function dataFiles(dataDir: string) {
  return {
    database: join(dataDir, 'server.db'),
    /** Held by the running server; holds nothing. */
    lock: join(dataDir, 'server.lock'),
    /** 32 bytes under which the database's secrets are sealed. */
    secretsKey: join(dataDir, 'secrets.key'),
    /** Keys of bootstrap tokens (control-plane/enrolment/bootstrap-keys.ts). */
    bootstrapKeys: join(dataDir, 'jwe.key'),
    caKey: join(dataDir, 'ca.key'),
    caCertificate: join(dataDir, 'ca.crt'),
    tlsKey: join(dataDir, 'tls.key'),
    tlsCertificate: join(dataDir, 'tls.crt'),
  } as const;
}

export type DataFiles = ReturnType<typeof dataFiles>;
