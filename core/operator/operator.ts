import type { ApiClient } from '../api-client/create-api-client.ts';
import type { Output } from './output.ts';

/** What a command of the operator works with. */
export interface Operator {
  readonly api: ApiClient;
  readonly output: Output;
  /** ^C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A question with yes or no, asked on the terminal; null where there is none. */
  readonly ask: ((question: string) => Promise<boolean>) | null;
}
