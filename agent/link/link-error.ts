import type { ErrorCode } from '../../core/base/error-codes.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { closeCodes } from '../../protocol/agent-frames.ts';
import { onOneLine } from './ask-server.ts';

const refusals: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [closeCodes.unauthorized]: ['agent_refused', 'does not accept the signature of this machine'],
  [closeCodes.unknown_machine]: ['machine_unknown', 'does not know this machine'],
  [closeCodes.replaced]: ['agent_replaced', 'was reached by another agent with the key of this machine'],
  [closeCodes.version]: ['protocol_unsupported', 'does not speak this version of the protocol'],
};

/** Why the server closed a socket, from the close code (protocol/agent-frames.ts). */
export function closeError(host: string, code: number, reason: string): ProvisionError {
  const said = onOneLine(reason);
  const facts = { host, close_code: code, reason: said };
  const [errorCode, what] = refusals[code] ?? ['link_lost', lostBecause(code)];
  return new ProvisionError(errorCode, `the server ${host} ${what}${said === '' ? '' : ` (${said})`}`, { facts });
}

function lostBecause(code: number): string {
  if (code === closeCodes.going_away) return 'is stopping';
  if (code === closeCodes.overload) return 'was sent more than it takes, and closed the connection';
  // RFC 6455, section 7.1.5: 1006 stands for no close frame at all.
  return code === 1006 ? 'is gone: the connection broke' : `closed the connection with code ${code}`;
}
