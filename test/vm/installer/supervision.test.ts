import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { freePort, Resources } from '../../resources.ts';
import type { Vm } from '../qemu.ts';
import { inPlaceOfInstaller, startSupervisedGuest, timeoutMs, waitForBoth } from './supervised-guest.ts';

test('a second stage that is not the one it was built with is refused on every console, and nothing restarts', async () => {
  await using resources = new Resources();
  const vm = await startSupervisedGuest(resources, {
    name: 'altered',
    overlay: { files: { 'durantic/stage2.squashfs': 'altered' } },
  });
  await waitForBoth(vm, /durantic installer: its second stage is not the one it was built with: the SHA-256 differs\./);
  assert.match(vm.console, /fetch it again, then test the memory\./);
  assert.match(vm.console, /Press Ctrl-Alt-Del, or switch the machine off and on, to start again\./);
  assert.doesNotMatch(vm.console, /second stage is mounted/);
  assert.equal(await vm.status(), 'running');
  await pressCtrlAltDel(vm);
});

test('an installer that ends is started again, told why, and every console says so; Ctrl-Alt-Del restarts', async () => {
  await using resources = new Resources();
  const program = `
    starts=$(($(cat /run/starts 2>/dev/null || echo 0) + 1))
    echo $starts >/run/starts
    case $starts in
      1) sleep 1000 & echo $! >/run/child; echo 'TypeError: the "first" words' >&2; exit 3 ;;
      2) cp /run/durantic/crash /run/seen-by-second; kill -SEGV $$ ;;
      *) cp /run/durantic/crash /run/seen-by-third; exec sleep 1000 ;;
    esac`;
  const vm = await startSupervisedGuest(resources, {
    name: 'crash',
    overlay: {
      hook: `${inPlaceOfInstaller(program)}
        until [ -e /run/seen-by-third ]; do usleep 100000; done
        json() { tr '\\n"' '|_' <"$1"; }
        child=$([ -d "/proc/$(cat /run/child)" ] && echo alive || echo gone)
        zombies=$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)
        prove crash "{\\"second\\":\\"$(json /run/seen-by-second)\\",\\"third\\":\\"$(json /run/seen-by-third)\\",\\"child\\":\\"$child\\",\\"zombies\\":$zombies}"`,
    },
  });
  await waitForBoth(
    vm,
    /The installer stopped\. It ended with exit code 3 after \d+ s\.\s*TypeError: the "first" words/,
  );
  const { facts } = await vm.waitForProof('crash', { timeoutMs });
  assert.match(String(facts['second']), /^It ended with exit code 3 after \d+ s\.\|TypeError: the _first_ words\|$/);
  assert.match(String(facts['third']), /^It was ended by signal SIGSEGV after \d+ s\.\|$/);
  assert.equal(facts['child'], 'gone', 'what the first start had started went on');
  assert.equal(facts['zombies'], 0);
  assert.match(vm.console, /again in 1 s\..*again in 2 s\./s);
  await pressCtrlAltDel(vm);
});

test('who has the key comes in by the remote shell and finds a system in order', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const key = join(dir, 'key');
  await runCommand('dropbearkey', ['-t', 'ed25519', '-f', key]);
  const publicKey = /^ssh-ed25519 \S+/m.exec((await runCommand('dropbearkey', ['-y', '-f', key])).stdout)?.[0];
  const sshPort = await freePort();
  const vm = await startSupervisedGuest(resources, {
    ...{ name: 'remote', sshPort, overlay: {} },
    // What stands in quotes is a key's comment and no parameter.
    // No server is known, and nobody answers the question for it.
    append: `durantic.authorized_key="${publicKey} durantic.shell"`,
  });
  const address = ['-p', String(sshPort), 'root@127.0.0.1'];
  const run = async (command: string): Promise<string> => {
    const args = ['-y', '-y', '-T', '-i', key, ...address, `exec 2>&1; ${command}`];
    return (await runCommand('dbclient', args, { env: { HOME: dir }, timeoutMs: 20_000 })).stdout;
  };
  const comesIn = async () => await run('cat /proc/1/comm').catch(() => false as const);
  assert.equal(await vm.waitUntil('the remote shell', comesIn, { timeoutMs }), 'init\n');

  const hostKey = await run('dropbearkey -y -f /run/durantic/ssh_host_ed25519_key');
  const [, fingerprint = 'none'] = /^Fingerprint: (\S+)$/m.exec(hostKey) ?? [];
  assert.ok(vm.console.includes(fingerprint), `${fingerprint} is not on the console`);
  assert.equal(await run('grep -c tty2 /etc/inittab; true'), '0\n', 'a comment has opened a local shell');
  assert.match(await run('grep " /usr " /proc/mounts'), /^\/dev\/loop0 \/usr squashfs ro/);
  assert.equal(await run('touch /usr/x 2>/dev/null || stat -c %a /run/durantic /var/lib/durantic'), '700\n700\n');
  assert.equal(await run('grep Umask /proc/$(cat /run/durantic/installer.pid)/status'), 'Umask:\t0022\n');
  assert.match(await run('cat /proc/sys/kernel/printk'), /^1\b/, 'the kernel writes over the screen');
  assert.equal(await run('lvs && vgs && pvs && mdadm --detail --scan && dmsetup ls'), 'No devices found\n');
  assert.equal(await run('[ -d /lib/firmware/ ] && echo there'), 'there\n');
  const fat = 'mkfs.vfat -C /tmp/fat 4096 >/tmp/out && echo text | mcopy -i /tmp/fat - ::/Grüße.txt';
  assert.match(await run(`${fat} && mdir -b -i /tmp/fat ::/`), /^::\/Gr.*e\.txt$/m);
  assert.match(await run('grep -c BEGIN /etc/ssl/certs/ca-certificates.crt'), /^1\d\d$/m);
});

async function pressCtrlAltDel(vm: Vm): Promise<void> {
  const keys = ['ctrl', 'alt', 'delete'].map((data) => ({ type: 'qcode', data }));
  await vm.execute('send-key', { keys });
  await vm.waitUntil('the restart', () => vm.hasEnded, { timeoutMs: 30_000 }).catch(() => undefined);
  assert.equal(vm.endReason, 'guest-reset');
}
