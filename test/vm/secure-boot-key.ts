import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resources } from '../resources.ts';

/** Debian's key for trying Secure Boot, which everybody has: README.Debian of the package ovmf. */
const snakeoil = { key: '/usr/share/ovmf/PkKek-1-snakeoil.key', certificate: '/usr/share/ovmf/PkKek-1-snakeoil.pem' };
const passphrase = 'snakeoil';

/** Key and certificate that firmware `ovmf-secure` believes, as `scripts/build-installer --sign` takes them. */
export function secureBootKey(resources: Resources): { keyFile: string; certificateFile: string } {
  if (!existsSync(snakeoil.key)) throw new Error(`there is no ${snakeoil.key} (Debian package ovmf)`);
  const key = createPrivateKey({ key: readFileSync(snakeoil.key), passphrase });
  const keyFile = join(resources.tempDir(), 'secure-boot.key');
  writeFileSync(keyFile, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { keyFile, certificateFile: snakeoil.certificate };
}
