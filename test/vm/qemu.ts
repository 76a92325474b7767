import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { type Resources, waitFor } from '../resources.ts';
import { lastLines, plainText } from './console-text.ts';
import { findProof, type Proof } from './proof.ts';
import { qemuArguments, type VmFiles, type VmOptions, vmFiles } from './qemu-arguments.ts';
import { Qmp, type QmpEvent } from './qmp.ts';
import { diskArguments, type VmDisk } from './vm-disk.ts';

const consoleTailLines = 40;

/**
 * Starts a guest that ends with `resources`, or with this process should that be killed. Returns as soon as QEMU
 * answers on its control socket; the guest is then about to run its firmware.
 */
export async function startVm(resources: Resources, options: VmOptions): Promise<Vm> {
  const files = vmFiles(options.dir ?? resources.tempDir('durantic-vm-'));
  const nonce = options.nonce ?? randomBytes(16).toString('hex');
  writeFileSync(files.consoleLog, '');
  for (const disk of options.disks ?? []) if (disk.writeLogFile !== undefined) writeFileSync(disk.writeLogFile, '');
  const stderr = openSync(files.stderrLog, 'w');
  const args = qemuArguments(options, files, nonce);
  const inNamespace = options.netns === undefined ? [] : ['ip', 'netns', 'exec', options.netns];
  const command = [...inNamespace, 'qemu-system-x86_64', ...args];
  const child = resources.spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: options.isConsoleOnStdio ? ['inherit', 'inherit', stderr] : ['ignore', 'ignore', stderr],
  });
  closeSync(stderr);
  const vm = new Vm(options.name, nonce, files, child);
  await vm.open(resources);
  return vm;
}

/**
 * A running guest. Every wait has a deadline, ends early when QEMU does or the guest's kernel panics, and fails with the
 * end of the console.
 */
export class Vm {
  readonly name: string;
  /** What a proof of this guest must repeat; the guest reads it from fw_cfg `opt/durantic/nonce`. */
  readonly nonce: string;
  readonly files: VmFiles;
  readonly #child: ChildProcess;
  /** When QEMU was started, milliseconds since 1970. */
  readonly startedAt = Date.now();
  #qmp: Qmp | undefined;

  constructor(name: string, nonce: string, files: VmFiles, child: ChildProcess) {
    this.name = name;
    this.nonce = nonce;
    this.files = files;
    this.#child = child;
  }

  /** Connects to the control socket; called once, by `startVm`. */
  async open(resources: Resources): Promise<void> {
    // QEMU makes the socket's file a moment before it listens, which is long on a busy machine.
    const qmp = await this.#wait('its control socket', 10_000, () =>
      Qmp.connect(this.files.qmpSocket).catch(() => false as const),
    );
    resources.defer(`close the control socket of ${this.name}`, () => qmp[Symbol.dispose]());
    this.#qmp = qmp;
  }

  /** Seconds since QEMU was started. */
  get seconds(): number {
    return (Date.now() - this.startedAt) / 1000;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Why QEMU ended, in its words (`guest-shutdown`, `guest-reset`, `host-signal`, …), once it has. */
  get endReason(): unknown {
    return this.#events('SHUTDOWN').at(-1)?.data['reason'];
  }

  /** Everything the serial console has said, without escape sequences and carriage returns. */
  get console(): string {
    return plainText(this.files.consoleLog);
  }

  /** The same of the second serial port (`serialPorts`). */
  get secondConsole(): string {
    return plainText(this.files.secondConsoleLog);
  }

  /**
   * Waits for the guest's own word on the proof port. A line with another nonce, or `done: false`, is an error, and so
   * is a firmware that finds nothing to boot when the guest `bootsFromDisk`.
   */
  async waitForProof(test: string, options: { timeoutMs: number; bootsFromDisk?: boolean }): Promise<Proof> {
    return await this.#wait(`the proof of ${test}`, options.timeoutMs, () => {
      if (options.bootsFromDisk && this.#foundNothing()) throw new Error('the firmware finds nothing to boot');
      const text = existsSync(this.files.proofFile) ? readFileSync(this.files.proofFile, 'utf8') : '';
      return findProof(text, { test, nonce: this.nonce });
    });
  }

  /** Waits until the console matches. Only a means to get on: a line on a console proves nothing. */
  async waitForConsole(pattern: RegExp, options: { timeoutMs: number }): Promise<RegExpExecArray> {
    return await this.#wait(`${pattern} on its console`, options.timeoutMs, () => pattern.exec(this.console) ?? false);
  }

  /** Waits for anything else that this guest is to bring about. */
  async waitUntil<T>(
    what: string,
    condition: () => Promise<T | undefined | false> | T | undefined | false,
    options: { timeoutMs: number },
  ): Promise<T> {
    return await this.#wait(what, options.timeoutMs, condition);
  }

  /** Waits until the firmware has found nothing to boot: the shell of OVMF or its last word, or that of SeaBIOS. */
  async waitForNothingToBoot(options: { timeoutMs: number }): Promise<void> {
    await this.#wait('the firmware to find nothing to boot', options.timeoutMs, () => this.#foundNothing());
  }

  /** Waits until QEMU has ended by itself because the guest switched itself off; its disks are then at rest. */
  async waitForPoweroff(options: { timeoutMs: number }): Promise<void> {
    const isOver = (): boolean => this.hasEnded && this.#qmp?.isClosed === true;
    await this.#wait('power-off', options.timeoutMs, isOver, { mayEnd: true });
    const reason = this.endReason;
    if (reason !== 'guest-shutdown') {
      const end = this.#child.signalCode ?? this.#child.exitCode;
      throw this.#failure(`QEMU ended (${end}) for another reason than power-off: ${reason ?? 'none given'}`);
    }
  }

  /** Presses the power button (ACPI). */
  async powerdown(): Promise<void> {
    await this.execute('system_powerdown');
  }

  /** Ends QEMU at once, as a power cut would: nothing that the guest holds in memory reaches its disks. */
  async quit(): Promise<void> {
    await this.execute('quit').catch(() => undefined);
    await this.#wait('its end', 10_000, () => this.hasEnded, { mayEnd: true });
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await this.execute('system_reset');
  }

  /** Any command of QEMU's machine protocol (`query-status`, `set_link`, `device_del`, …). */
  async execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#qmp === undefined) throw new Error(`${this.name}: not connected`);
    return await this.#qmp.execute(command, args);
  }

  /** The state in QEMU's words: `running`, `paused`, `shutdown`, `guest-panicked`, … */
  async status(): Promise<string> {
    return ((await this.execute('query-status')) as { status: string }).status;
  }

  /** Pulls or plugs the cable of a network card, by default the first. */
  async setLink(isUp: boolean, index = 0): Promise<void> {
    await this.execute('set_link', { name: `nic${index}`, up: isUp });
  }

  /** Lets a guest run that was started with `isPaused`. */
  async resume(): Promise<void> {
    await this.execute('cont');
  }

  /** Plugs a virtio disk into the hotplug port `port` (`hotplugPorts` must have made it). */
  async addDisk(disk: VmDisk & { readonly id: string }, port = 0): Promise<void> {
    const nodes = diskArguments(disk, 0);
    for (const [index, value] of nodes.entries()) {
      if (nodes[index - 1] === '-blockdev') await this.execute('blockdev-add', JSON.parse(value));
    }
    const [driver, ...properties] = nodes.at(-1)?.split(',') ?? [];
    const pairs = properties.map((property) => property.split('=') as [string, string]);
    await this.execute('device_add', { driver, bus: `hotplug${port}`, ...Object.fromEntries(pairs) });
  }

  /** Asks the guest to let go of a hot-plugged device and waits until it is gone. */
  async removeDevice(id: string, options: { timeoutMs: number }): Promise<void> {
    await this.execute('device_del', { id });
    const isGone = (): boolean => this.#events('DEVICE_DELETED').some(({ data }) => data['device'] === id);
    await this.#wait(`the removal of ${id}`, options.timeoutMs, isGone);
  }

  /** Writes what the guest's display shows to `file`, as PNG. */
  async screenshot(file: string): Promise<void> {
    await this.execute('screendump', { filename: file, format: 'png' });
  }

  /** Types on the serial console. */
  async type(text: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(this.files.consoleSocket, () => socket.end(text, () => resolve()));
      socket.once('error', reject);
      socket.resume();
    });
  }

  #foundNothing(): boolean {
    const seabios = existsSync(this.files.firmwareLog) ? readFileSync(this.files.firmwareLog, 'latin1') : '';
    return (
      seabios.includes('No bootable device') || /^Shell> |BdsDxe: No bootable option or device/m.test(this.console)
    );
  }

  #hasPanicked(): boolean {
    return readFileSync(this.files.consoleLog).includes('Kernel panic - not syncing');
  }

  #events(name: string): readonly QmpEvent[] {
    return (this.#qmp?.events ?? []).filter((event) => event.name === name);
  }

  async #wait<T>(
    what: string,
    timeoutMs: number,
    condition: () => Promise<T | undefined | false> | T | undefined | false,
    options: { mayEnd?: boolean } = {},
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    try {
      return await waitFor(
        what,
        async () => {
          // Asked before the condition: what QEMU said right before its end still counts.
          const hasEnded = this.hasEnded;
          const value = await condition();
          if (!value && hasEnded && options.mayEnd !== true) throw new Error(`QEMU ended before ${what}`);
          if (!value && this.#hasPanicked()) throw new Error(`the kernel panicked before ${what}`);
          return value;
        },
        { timeoutMs: Math.max(0, deadline - Date.now()), intervalMs: 100 },
      );
    } catch (error) {
      throw this.#failure(error instanceof Error ? error.message : String(error), error);
    }
  }

  #failure(message: string, cause?: unknown): Error {
    const stderr = existsSync(this.files.stderrLog) ? readFileSync(this.files.stderrLog, 'utf8').trim() : '';
    const parts = [`guest ${this.name}, ${this.seconds.toFixed(1)} s after its start: ${message}`];
    if (stderr !== '') parts.push(`QEMU said: ${stderr}`);
    const firmware = existsSync(this.files.firmwareLog) ? readFileSync(this.files.firmwareLog, 'latin1') : '';
    if (this.console.trim() === '') parts.push('last 5 lines of the firmware:', lastLines(firmware, 5));
    else parts.push(`last ${consoleTailLines} lines of the console:`, lastLines(this.console, consoleTailLines));
    return new Error(parts.join('\n'), { cause });
  }
}
