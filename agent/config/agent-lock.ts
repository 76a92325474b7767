import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { loadNative } from '../native/load-native.ts';
import { flockOperations } from '../native/native.ts';

/**
 * Makes sure that one agent runs: an flock(2) on `agent.lock` in the run-time folder, which the kernel gives back when
 * the process ends in whatever way.
 * @throws ProvisionError `already_running`; `permission` when the folder cannot be made.
 */
export function takeAgentLock(runDir: string): Disposable {
  const path = join(runDir, 'agent.lock');
  let fd: number;
  try {
    mkdirSync(runDir, { recursive: true, mode: 0o700 });
    fd = openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new ProvisionError('permission', `${path} cannot be made`, { cause, facts: { path } });
  }
  try {
    loadNative().flock(fd, flockOperations.exclusive | flockOperations.nonBlocking);
  } catch (cause) {
    closeSync(fd);
    if (errnoOf(cause) !== 'EAGAIN' && errnoOf(cause) !== 'EWOULDBLOCK') throw cause;
    throw new ProvisionError('already_running', `another agent runs on this machine and holds ${path}`, {
      facts: { path },
    });
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}
