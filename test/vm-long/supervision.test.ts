import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { inPlaceOfInstaller, startSupervisedGuest, timeoutMs } from '../vm/installer/supervised-guest.ts';

test('with durantic.shell a failure offers a shell on the serial line, and the installer comes back after it', async () => {
  await using resources = new Resources();
  const vm = await startSupervisedGuest(resources, {
    name: 'shell',
    append: 'durantic.shell',
    overlay: {
      hook: `${inPlaceOfInstaller(`
        [ -e /run/from-the-shell ] || exit 1
        : >/run/again; exec sleep 1000`)}
        until [ -e /run/again ]; do usleep 100000; done
        prove again "{\\"said\\":\\"$(cat /run/from-the-shell)\\"}"`,
    },
  });
  await vm.waitForConsole(/ended with exit code 1.*Press Enter for a shell/s, { timeoutMs });
  await vm.type('\r');
  await vm.waitForConsole(/durantic-installer:.*# /, { timeoutMs: 30_000 });
  await vm.type('echo the-shell-has-$((40 + 2)) >/run/from-the-shell; tty; exit\r');
  await vm.waitForConsole(/\/dev\/ttyS0/, { timeoutMs: 30_000 });
  const { facts } = await vm.waitForProof('again', { timeoutMs: 60_000 });
  assert.equal(facts['said'], 'the-shell-has-42');
});

test('the watchdog resets a machine whose installer hangs', async () => {
  await using resources = new Resources();
  const vm = await startSupervisedGuest(resources, {
    name: 'watchdog',
    extraArgs: ['-device', 'i6300esb', '-action', 'watchdog=pause'],
    overlay: {
      hook: `
        active() { grep -lx active /sys/class/watchdog/watchdog*/state; }
        until active; do usleep 200000; done
        fed=$(dirname "$(active)")
        prove fed "{\\"identity\\":\\"$(cat $fed/identity)\\",\\"timeout\\":$(cat $fed/timeout)}"
        kill -STOP "$(cat /run/durantic/installer.pid)"`,
    },
  });
  const { facts } = await vm.waitForProof('fed', { timeoutMs });
  assert.equal(facts['identity'], 'i6300ESB timer', 'not the one in hardware');
  const isReset = async (): Promise<boolean> => (await vm.status()) === 'watchdog';
  await vm.waitUntil('the watchdog to act', isReset, { timeoutMs: (Number(facts['timeout']) + 30) * 1000 });
});

test('the power button ends the installer in order: the watchdog is stopped, the machine goes off', async () => {
  await using resources = new Resources();
  const vm = await startSupervisedGuest(resources, {
    name: 'power',
    extraArgs: ['-device', 'i6300esb', '-action', 'watchdog=pause'],
    overlay: {
      hook: `
        active() { grep -lx active /sys/class/watchdog/watchdog*/state; }
        until active && pidof acpid; do usleep 200000; done
        prove ready '{}'
        while active; do usleep 50000; done
        prove stopped "{\\"leaving\\":$([ -e /run/durantic/leaving ] && echo true || echo false)}"`,
    },
  });
  await vm.waitForProof('ready', { timeoutMs });
  await vm.powerdown();
  assert.deepEqual((await vm.waitForProof('stopped', { timeoutMs: 30_000 })).facts, { leaving: true });
  await vm.waitForPoweroff({ timeoutMs: 30_000 });
  assert.doesNotMatch(vm.console, /The installer stopped/, 'an end in order is no crash');
});
