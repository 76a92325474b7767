import type { Logger } from '../../core/base/logger.ts';
import type { InstallerEvent } from '../state/installer-events.ts';

/** Writes one event to the log. The approval code is left out: it lets a machine in, and logs are sent away. */
export function logInstallerEvent(log: Logger, event: InstallerEvent): void {
  const { kind, ...facts } = event;
  switch (event.kind) {
    case 'approval':
      log.info({ event: kind, expires_at: event.approval?.expiresAt ?? null }, 'approval code');
      return;
    case 'provision': {
      const level = event.event.state === 'progress' ? 'debug' : event.event.state === 'failed' ? 'error' : 'info';
      log[level]({ event: kind, ...event.event }, event.event.message);
      return;
    }
    case 'trouble':
      log.warn({ event: kind, code: event.trouble?.code ?? null }, event.trouble?.what ?? 'the trouble is over');
      return;
    case 'notice':
      log.info({ event: kind }, event.text);
      return;
    case 'link':
    case 'disks':
      log.debug({ event: kind, ...facts }, kind);
      return;
    default:
      log.info({ event: kind, ...facts }, kind.replaceAll('_', ' '));
  }
}
