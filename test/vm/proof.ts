import { z } from 'zod';

const proofSchema = z.object({
  test: z.string(),
  nonce: z.string(),
  done: z.boolean(),
  facts: z.record(z.string(), z.unknown()),
});

/** What a guest says about itself on the virtio-serial port `durantic.proof`: one JSON line. */
export type Proof = z.infer<typeof proofSchema>;

/**
 * The proof of `test` among the lines of the port, or undefined while it has not come.
 * @throws Error for a line that is no proof, one with a nonce of another guest, and one that says `done: false`.
 */
export function findProof(
  text: string,
  expected: { readonly test: string; readonly nonce: string },
): Proof | undefined {
  for (const proof of proofsOf(text, expected.nonce)) if (proof.test === expected.test) return proof;
  return undefined;
}

/** All proofs among the lines of the port, in their order. @throws Error as `findProof`. */
export function* proofsOf(text: string, nonce: string): Generator<Proof> {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const proof = parseProof(line);
    if (proof.nonce !== nonce) throw new Error(`a proof with a foreign nonce: ${line}`);
    if (!proof.done) throw new Error(`the guest says that ${proof.test} failed: ${JSON.stringify(proof.facts)}`);
    yield proof;
  }
}

function parseProof(line: string): Proof {
  try {
    return proofSchema.parse(JSON.parse(line));
  } catch (error) {
    throw new Error(`not a proof: ${line.slice(0, 500)}`, { cause: error });
  }
}
