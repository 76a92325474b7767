import { z } from 'zod';

/**
 * The oldest glibc that the program runs with: what Node 26 itself needs. README says the same, and a test reads it
 * from every object that the program can load.
 */
export const glibcFloor = '2.28';

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** One file of the bundle beside `manifest.json`. */
const bundleFileSchema = z.object({
  /** Relative to the bundle's folder. */
  path: z.string().regex(/^(?!\/)(?!.*\.\.).+$/),
  sha256: sha256Hex,
  bytes: z.int().nonnegative(),
  mode: z.enum(['0755', '0644']),
  /** `program` and `library` are always installed; `fallback` only where the system has no copy of its own. */
  role: z.enum(['program', 'library', 'fallback']),
  /** Highest version of glibc that the file refers to, `2.28`. */
  glibc: z.string().regex(/^\d+\.\d+$/),
  /** SPDX expression. */
  licence: z.string(),
  /** Where a library was taken from, `libatomic1 12.2.0-14+deb12u1`. */
  source: z.string().optional(),
});

/** `manifest.json` of the bundle (docs/architecture.md, "The binary and its bundle"). */
export const bundleManifestSchema = z.object({
  format: z.literal(1),
  name: z.literal('durantic'),
  version: z.string(),
  commit: z.string(),
  node: z.string(),
  platform: z.literal('linux-x64'),
  files: z.array(bundleFileSchema).min(1),
});

export type BundleFile = z.infer<typeof bundleFileSchema>;
export type BundleManifest = z.infer<typeof bundleManifestSchema>;
