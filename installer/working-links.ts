import type { WorkingLink } from './network/network.ts';
import type { InstallerEvent } from './state/installer-events.ts';

/** What the network says of its links, shown; and which of them works. */
export class WorkingLinks {
  current: WorkingLink | null = null;
  readonly listeners;

  constructor(emit: (event: InstallerEvent) => void) {
    this.listeners = {
      onLink: (link: WorkingLink['report']): void => emit({ kind: 'link', link }),
      onLinkGone: (name: string): void => emit({ kind: 'link_gone', name }),
      onWorkingLink: (link: WorkingLink | null): void => {
        this.current = link;
        emit({ kind: 'working_link', name: link?.report.name ?? null });
      },
    };
  }
}
