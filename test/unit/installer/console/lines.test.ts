import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConsoleLines } from '../../../../installer/console/lines.ts';
import type { InstallerEvent } from '../../../../installer/state/installer-events.ts';
import { initialInstallerState, reduceInstaller } from '../../../../installer/state/installer-state.ts';
import { installerEvent } from '../../../builders/installer-event-arbitrary.ts';
import { link, provisionEvent, scenes } from '../../../builders/installer-scenes.ts';

/** A console that is told events at times, in seconds since the start. */
class Told {
  readonly lines = new ConsoleLines();
  state = initialInstallerState;

  event(seconds: number, event: InstallerEvent): readonly string[] {
    this.state = reduceInstaller(this.state, event);
    this.lines.take(event);
    return this.at(seconds);
  }

  /** Without the time stamps. */
  at(seconds: number): readonly string[] {
    return this.lines.due(this.state, seconds).map((line) => line.replace(/^\[ *\d+\.\d\] /, ''));
  }
}

function tellAll(scene: string): string {
  const told = new Told();
  return (scenes[scene] ?? []).flatMap((event) => told.event(42.4, event)).join('\n');
}

test('the same facts as on the screens: links, code, progress, failure with code and what to do', () => {
  const network = tellAll('network');
  assert.match(network, /^durantic installer 0\.1\.0 on Dell Inc\. PowerEdge R640, serial 7XK2M13, 64 GiB memory$/m);
  assert.match(
    network,
    /^eno2 \(e4:43:4b:10:00:02, igb, 1 Gbit\/s, booted from it\): asks for an address: no answer from a DHCP/m,
  );
  assert.match(network, /^disk \/dev\/sdb .*\(not a target: it is the boot medium\)$/m);
  assert.match(tellAll('approval'), /^\*{60}\n\* +APPROVAL CODE: {2}A3C-WXM +\*\n\*{60}\n.*approve A3C-WXM/m);
  const failed = tellAll('failed');
  assert.match(failed, /^step 3\/7 Partition Resize: done: root is 958 GB now$/m);
  assert.match(failed, /^47 %, step 4\/7 Layer Extraction: 812 MB of 1\.9 GB, 96\.4 MB\/s, 11 s left$/m);
  assert.match(failed, /^INSTALLATION FAILED \[download_interrupted\]: the download of layer 2/m);
  assert.match(
    failed,
    /^The disk holds parts of the new system; nothing on it boots\.\nWhat to do: Check the network/m,
  );
  assert.match(tellAll('leaving'), /^The new system is started now/m);
  assert.match(tellAll('crash'), /^The installer failed and was started again: TypeError/m);
});

test('lines bear the time since the start, as those of the kernel do', () => {
  const { lines, state } = new Told();
  lines.take({ kind: 'notice', text: 'hello' });
  assert.deepEqual(lines.due(state, 7.06), ['[    7.1] hello']);
});

test('a fact is printed once, and again only after a minute when it comes back', () => {
  const told = new Told();
  const asking: InstallerEvent = { kind: 'link', link: link('eth0') };
  const silent = { stage: 'failed', detail: 'no answer', addresses: ['192.0.2.7/24'] } as const;
  const failed: InstallerEvent = { kind: 'link', link: link('eth0', silent) };
  assert.equal(told.event(1, asking).length, 1);
  assert.deepEqual(told.event(2, asking), []);
  assert.equal(told.event(3, failed).length, 1);
  assert.deepEqual(told.event(4, asking), []);
  assert.deepEqual(told.event(5, failed), []);
  assert.deepEqual(told.event(10, asking), []);
  assert.deepEqual(told.at(60), []);
  assert.equal(told.at(61.5).length, 1, 'what still holds is said after all');
  assert.deepEqual(told.event(62, { kind: 'link_gone', name: 'eth0' }), ['eth0: gone']);
});

test('progress comes every five seconds or percent, not more often', () => {
  const told = new Told();
  told.event(0, {
    kind: 'provision_started',
    provisionUuid: '0193a2f0-5b1c-7cc0-9b1e-6f3a2d1c4b5a',
    image: 'i:1',
    disk: null,
  });
  const progress = (seq: number, seconds: number, percent: number) =>
    told.event(seconds, provisionEvent(seq, { step: 'layer_extraction', percent })).length;
  assert.equal(progress(1, 0, 17), 1, 'the step has begun');
  assert.equal(progress(2, 1, 18), 0);
  assert.equal(progress(3, 1.5, 22.1), 1, 'five percent');
  assert.equal(progress(4, 3, 25), 0);
  assert.equal(progress(5, 6.6, 25.1), 1, 'five seconds');
  assert.equal(progress(6, 60, 25.1), 0, 'no progress, no line');
});

test('Enter shows everything as it stands, however often it was said', () => {
  const told = new Told();
  for (const event of scenes['provisioning'] ?? []) told.event(1, event);
  const all = told.lines.all(told.state, 100).join('\n');
  for (const text of ['durantic installer', 'eno2', 'enrolled', 'Partition Resize: done', '47 %']) {
    assert.ok(all.includes(text), text);
  }
});

test('any event makes lines of printable ASCII', () => {
  fc.assert(
    fc.property(fc.array(installerEvent, { maxLength: 40 }), (events) => {
      const told = new Told();
      events.forEach((event, index) => {
        for (const line of told.event(index, event)) assert.match(line, /^[ -~]*$/);
      });
      for (const line of told.lines.all(told.state, 99)) assert.match(line, /^[ -~]*$/);
    }),
  );
});
