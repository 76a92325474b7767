/** What the server shows to whoever connects. */
export interface TlsIdentity {
  /** PEM: leaf, then what leads to the CA. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM of the CA that machines are told to trust; null: the system's roots. */
  readonly caCertificate: string | null;
  /** `sha256:` and hex of the CA's SubjectPublicKeyInfo, or null as above. */
  readonly pin: string | null;
  /** `sha256//` and base64 of the leaf's SubjectPublicKeyInfo (curl's `--pinnedpubkey`). */
  readonly leafPin: string;
}
