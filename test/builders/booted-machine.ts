import { mkdirSync, readdirSync, readFileSync, rmdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { type Resources, waitFor } from '../resources.ts';
import { addNamespace } from './add-namespace.ts';
import { type MachineRoot, type Outcome, type RunOptions, runLine } from './machine-root.ts';

/** Services that would use this host's console or need more devices than the machine has. */
const masked = ['getty.target', 'console-getty.service', 'systemd-logind.service', 'systemd-udevd.service'];

/** Mounts what systemd wants to find in a container, then becomes it. $1: the root. */
const bootScript = `set -e
mount --make-rprivate /
cd "$1"
mountpoint -q proc && umount proc
mount --bind . .
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
for name in null zero full random urandom tty; do : >"tmp/$name"; mount --bind "/dev/$name" "tmp/$name"; done
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do : >"dev/$name"; mount --move "tmp/$name" "dev/$name"; done
: >dev/console; mount --bind /dev/null dev/console
ln -s /proc/self/fd dev/fd
exec chroot . /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal`;

/** A machine root whose systemd runs as process 1 of its own process, mount, network and cgroup namespaces. */
export class BootedMachine {
  readonly #initPid: number;

  private constructor(initPid: number) {
    this.#initPid = initPid;
  }

  /** @param netns Name of the network namespace that is the machine's network. */
  static async boot(resources: Resources, root: MachineRoot, netns: string): Promise<BootedMachine> {
    for (const name of masked) symlinkSync('/dev/null', join(root.path, 'etc/systemd/system', name));
    const cgroup = await makeCgroup(resources);
    const join_ = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
    const unshare = ['unshare', '--mount', '--pid', '--fork', '--uts', '--ipc', '--cgroup'];
    const child = resources.spawn('sh', [
      ...['-c', join_, cgroup, 'ip', 'netns', 'exec', netns],
      ...[...unshare, 'sh', '-c', bootScript, 'boot', root.path],
    ]);
    const initPid = await waitFor('the machine to have a process 1', () => childOf(child.pid ?? 0), {
      timeoutMs: 10_000,
    });
    // The end of process 1 is the end of all processes of the machine.
    resources.defer('end the machine', async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(initPid, 'SIGKILL');
      await waitFor('the machine to end', () => child.exitCode !== null || child.signalCode !== null, {
        timeoutMs: 10_000,
      });
    });
    const machine = new BootedMachine(initPid);
    await waitFor('systemd to be up', async () => await machine.#isUp(), { timeoutMs: 60_000, intervalMs: 200 });
    return machine;
  }

  /** Runs a line of bash as root in the machine. */
  async run(line: string, options: RunOptions = {}): Promise<Outcome> {
    return await runLine(['nsenter', '--target', String(this.#initPid), '--all', '--root', '--wd'], line, options);
  }

  async #isUp(): Promise<boolean> {
    const { stdout } = await this.run('systemctl is-system-running 2>&1');
    return ['running', 'degraded'].includes(stdout.trim());
  }
}

/** A cgroup (version 2) of the machine's own, in whatever way this host mounts them. */
async function makeCgroup(resources: Resources): Promise<string> {
  const hierarchy = resources.tempDir('durantic-cgroup-');
  await runCommand('mount', ['-t', 'cgroup2', 'cgroup2', hierarchy]);
  resources.defer(`umount ${hierarchy}`, async () => {
    await runCommand('umount', [hierarchy]);
  });
  const group = join(hierarchy, `durantic-test-${process.pid}-${Date.now()}`);
  mkdirSync(group);
  resources.defer(`rmdir ${group}`, async () => {
    // A group is empty a moment after its last process has gone.
    await waitFor('the cgroup to be empty', () => removeGroups(group), { timeoutMs: 10_000 });
  });
  return group;
}

function removeGroups(group: string): boolean {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeGroups(join(group, entry.name))) return false;
    }
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

function childOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    // The process that forks is unshare itself.
    const isUnshare = readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'unshare';
    return isUnshare && /^\d+$/.test(children) ? Number(children) : undefined;
  } catch {
    return undefined;
  }
}

/** Two network namespaces joined by a cable: 10.99.0.1 in the first, 10.99.0.2 in the second. */
export async function linkedNamespaces(resources: Resources): Promise<[string, string]> {
  const [server, machine] = [await addNamespace(resources, 'server'), await addNamespace(resources, 'machine')];
  const ip = async (...args: string[]): Promise<void> => void (await runCommand('ip', args));
  await ip('link', 'add', 'cable', 'netns', server, 'type', 'veth', 'peer', 'name', 'cable', 'netns', machine);
  for (const [index, name] of [server, machine].entries()) {
    await ip('-n', name, 'address', 'add', `10.99.0.${index + 1}/24`, 'dev', 'cable');
    for (const device of ['lo', 'cable']) await ip('-n', name, 'link', 'set', device, 'up');
  }
  return [server, machine];
}
