/** What a faulty answer does. Byte counts are of the answer's body unless it says otherwise. */
export type FaultAction =
  /** Ends the connection cleanly (chunked, complete) after so many bytes. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Content-Length is right, then a TCP reset after so many bytes. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /**
   * As reset, but at this offset of the blob; answers that do not reach it are whole. With `whenRead` the reset waits
   * until the client has taken all bytes from its socket, where a reset would destroy them.
   */
  | { readonly kind: 'reset-at'; readonly blobByte: number; readonly whenRead?: true }
  /** The connection stays open and silent after so many bytes of the body. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** No answer at all, not even headers. */
  | { readonly kind: 'silence' }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** 200 with the whole blob although a part was asked for. */
  | { readonly kind: 'ignore-range' }
  /** 206 with this Content-Range (none: null) and the bytes from `fromByte` to `toByte` (exclusive; default the end). */
  | {
      readonly kind: 'content-range';
      readonly value: string | null;
      readonly fromByte: number;
      readonly toByte?: number;
    }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** The body comes in so many pieces with a pause before each. */
  | { readonly kind: 'drip'; readonly pieces: number; readonly everyMs: number }
  /** One bit of this byte of the blob is turned. */
  | { readonly kind: 'corrupt'; readonly blobByte: number }
  /** The registry holds only the blob's first bytes, and says so consistently. */
  | { readonly kind: 'shorter'; readonly sizeBytes: number }
  /** So many bytes too many, without a Content-Length. */
  | { readonly kind: 'longer'; readonly extraBytes: number };

/** When a fault strikes, and how often. Each request meets the first fault of the script that matches. */
export interface Fault {
  /** Default `blob`. */
  readonly on?: 'blob' | 'manifest' | 'token';
  /** Only at the registry, or only at the storage behind its redirects; default both. */
  readonly at?: 'registry' | 'storage';
  /** Only this manifest or blob. */
  readonly digest?: string;
  /** Only requests with, or without, a Range header. */
  readonly ranged?: boolean;
  /** Matching requests that pass first; default 0. */
  readonly skip?: number;
  /** Default 1; Infinity for always. */
  readonly times?: number;
  readonly answer: FaultAction;
}

export interface RequestFacts {
  readonly on: 'blob' | 'manifest' | 'token' | 'other';
  readonly at: 'registry' | 'storage';
  readonly digest: string | null;
  readonly isRanged: boolean;
}

/** Counts down the faults of a script. */
export class FaultScript {
  readonly #faults: { readonly fault: Fault; skip: number; times: number }[] = [];

  constructor(faults: readonly Fault[]) {
    this.add(...faults);
  }

  add(...faults: readonly Fault[]): void {
    for (const fault of faults) this.#faults.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  /** Faults that have not struck as often as they were to. */
  get pending(): number {
    return this.#faults.filter(({ times }) => times > 0 && times !== Number.POSITIVE_INFINITY).length;
  }

  next(request: RequestFacts): FaultAction | undefined {
    for (const entry of this.#faults) {
      if (entry.times === 0 || !matches(entry.fault, request)) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.times -= 1;
      return entry.fault.answer;
    }
    return undefined;
  }
}

function matches(fault: Fault, request: RequestFacts): boolean {
  if ((fault.on ?? 'blob') !== request.on) return false;
  if (fault.at !== undefined && fault.at !== request.at) return false;
  if (fault.ranged !== undefined && fault.ranged !== request.isRanged) return false;
  return fault.digest === undefined || fault.digest === request.digest;
}
