import { isDeepStrictEqual } from 'node:util';
import type { InstallerEvent, Trouble } from '../state/installer-events.ts';

/** What can be in trouble at the same time, the most pressing first: a screen shows one. */
const subjects = ['leaving', 'server', 'approval', 'token'] as const;

export type TroubleSubject = (typeof subjects)[number];

/** Keeps what stands in the way, by subject, and shows the most pressing; when it is gone, the next. */
export class TroubleBoard {
  readonly #emit: (event: InstallerEvent) => void;
  readonly #troubles = new Map<TroubleSubject, Trouble>();
  #shown: Trouble | null = null;

  constructor(emit: (event: InstallerEvent) => void) {
    this.#emit = emit;
  }

  set(subject: TroubleSubject, trouble: Trouble | null): void {
    if (trouble === null) this.#troubles.delete(subject);
    else this.#troubles.set(subject, trouble);
    this.#show();
  }

  clear(...gone: readonly TroubleSubject[]): void {
    for (const subject of gone) this.#troubles.delete(subject);
    this.#show();
  }

  #show(): void {
    const top = subjects.map((subject) => this.#troubles.get(subject)).find((trouble) => trouble !== undefined) ?? null;
    if (isDeepStrictEqual(top, this.#shown)) return;
    this.#shown = top;
    this.#emit({ kind: 'trouble', trouble: top });
  }
}
