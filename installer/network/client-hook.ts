import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { streamCommand } from '../../core/base/stream-command.ts';
import type { ClientFacts } from './parse-lease.ts';

const startMark = 'DURANTIC-LEASE';

/**
 * The script that both DHCP clients call: it prints its environment, NUL after each variable and one more at the end, to
 * the pipe that the client was started with. Nothing is written to a file, and nothing that a server sent is ever seen by
 * a shell as more than a variable's value.
 */
const script = `#!/bin/sh
# Written by durantic.
printf '${startMark}\\0event=%s\\0' "$1"
env -0
printf '\\0'
`;

/** Writes the script into the folder, which is made. */
export function writeClientHook(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(hookPath(folder), script, { mode: 0o700 });
}

export function hookPath(folder: string): string {
  return join(folder, 'lease-hook');
}

/**
 * Ends the client with itself. The kernel's own signal at the parent's death (prctl(2), PR_SET_PDEATHSIG) is enough for
 * this shell, but not for dhcpcd, which loses it when it gives up its rights. dhcpcd that ends while it takes up an address
 * forgets helpers of its own, and whoever waited for the pipe that they hold would wait for ever. The signal may come just
 * before the shell waits, which it then does as if there had been none: what ends a deaf client is begun by the signal itself.
 */
export const clientGuard = `pid='' stop='' watch='' all=''
below() {
  list=''
  read -r list 2>/dev/null <"/proc/$1/task/$1/children"
  for child in $list; do all="$all $child"; below "$child"; done
}
end() {
  stop=1
  [ -n "$pid" ] && [ -z "$watch" ] || return
  (sleep 2; kill -KILL "$pid") >/dev/null 2>&1 & watch=$!
  trap '' TERM
  below "$pid"; kill "$pid"
}
trap end TERM
"$@" & pid=$!
[ -z "$stop" ] || end
wait "$pid"; code=$?
[ -n "$stop" ] || exit "$code"
wait "$pid"
kill -KILL "$watch"
for process in $all; do below "$process"; done
for process in $all; do kill -KILL "$process" 2>/dev/null; done
exit "$code"`;

/**
 * Runs a DHCP client until it ends or the signal is aborted, and gives what it tells its script. The client dies with
 * this process, also when that is killed: two clients on one link would fight.
 * Errors: ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function* runClient(
  command: readonly [string, ...string[]],
  signal: AbortSignal,
): AsyncGenerator<ClientFacts> {
  const args = ['--pdeathsig', 'TERM', '--', 'sh', '-c', clientGuard, 'guard', ...command];
  const stream = streamCommand('setpriv', args, { signal });
  let rest = '';
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    // Addresses and names that matter are ASCII; latin1 never breaks a character in two.
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf('\0\0'); end !== -1; end = rest.indexOf('\0\0')) {
      const record = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const start = record.indexOf(`${startMark}\0`);
      if (start !== -1) yield parseRecord(record.slice(start + startMark.length + 1));
    }
  }
}

function parseRecord(record: string): ClientFacts {
  return new Map(
    record.split('\0').map((variable) => {
      const equals = variable.indexOf('=');
      return [variable.slice(0, equals), variable.slice(equals + 1)] as const;
    }),
  );
}
