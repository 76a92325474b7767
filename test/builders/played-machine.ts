import { randomUUID } from 'node:crypto';
import type { Hello } from '../../protocol/agent-frames.ts';
import { type CommandArgs, provisionArgsSchema } from '../../protocol/commands.ts';
import { type ProvisionEvent, stepIds } from '../../protocol/provision-event.ts';
import type { Resources } from '../resources.ts';
import { provisionEvent } from './run-inputs.ts';
import { connectTestAgent, type TestAgent, type TestIdentity } from './test-agent.ts';

export interface PlayedMachineOptions {
  readonly url: string;
  /** PEM; absent for plain HTTP. */
  readonly ca?: string;
  readonly identity: TestIdentity;
}

/** A machine as a server sees it: the installer, then the installed system, one real socket after the other. */
export class PlayedMachine {
  readonly identity: TestIdentity;
  readonly #resources: Resources;
  readonly #options: PlayedMachineOptions;
  #agent: TestAgent | undefined;
  #eventSeq = 0;

  constructor(resources: Resources, options: PlayedMachineOptions) {
    this.#resources = resources;
    this.#options = options;
    this.identity = options.identity;
  }

  get uuid(): string {
    return this.identity.machineUuid;
  }

  get agent(): TestAgent {
    if (this.#agent === undefined) throw new Error('the machine is not connected');
    return this.#agent;
  }

  /** Says hello as this system; the socket of the one before is cut. */
  async boot(hello: Partial<Hello>): Promise<TestAgent> {
    this.off();
    const ca = this.#options.ca;
    const agent = await connectTestAgent({
      url: this.#options.url,
      ...(ca === undefined ? {} : { ca }),
      identity: this.identity,
      hello,
      heartbeatMs: 200,
    });
    this.#resources.defer('cut the agent', () => agent.cut());
    this.#agent = agent;
    return agent;
  }

  /** The same system connects again: its numbers go on. */
  async reconnect(lastSeq: number): Promise<TestAgent> {
    return await this.boot({ boot_id: this.agent.bootId, last_event_seq: lastSeq });
  }

  async bootInstaller(): Promise<TestAgent> {
    this.#eventSeq = 0;
    return await this.boot({ mode: 'installer', boot_id: randomUUID() });
  }

  async bootInstalled(provisionUuid: string | null, rootDisk: Hello['root_disk'] = null): Promise<TestAgent> {
    const disk = { installed_provision_uuid: provisionUuid, root_disk: rootDisk };
    return await this.boot({ mode: 'installed', ...disk, boot_id: randomUUID() });
  }

  /** The power is cut. */
  off(): void {
    this.#agent?.cut();
    this.#agent = undefined;
  }

  /** Waits for the `count`th command of this boot and takes it. */
  async take(count = 1): Promise<{ readonly commandUuid: string; readonly args: CommandArgs<'ProvisionMachine'> }> {
    const command = await this.agent.next('command', count);
    const args = provisionArgsSchema.parse(command.args);
    await this.agent.acknowledged(this.agent.reply(command.command_uuid, 'accepted'));
    return { commandUuid: command.command_uuid, args };
  }

  /** Sends an event of the run and waits until the server has it. */
  async tell(provisionUuid: string, fields: Partial<ProvisionEvent>): Promise<number> {
    const seq = this.agent.sendNumbered(this.eventFrame(provisionUuid, fields));
    await this.agent.acknowledged(seq);
    return seq;
  }

  eventFrame(provisionUuid: string, fields: Partial<ProvisionEvent>): { type: string; event: ProvisionEvent } {
    this.#eventSeq += 1;
    const event = { ...provisionEvent(fields), seq: this.#eventSeq, provision_uuid: provisionUuid };
    return { type: 'provision_event', event };
  }

  /** All steps from first to last, and the words before the reboot. @param facts Of the last event. */
  async install(provisionUuid: string, facts: ProvisionEvent['facts'] = {}): Promise<void> {
    for (const [index, step] of stepIds.entries()) {
      const percent = (index / stepIds.length) * 100;
      await this.tell(provisionUuid, { step, state: 'started', percent, message: `begins ${step}` });
      await this.tell(provisionUuid, { step, state: 'succeeded', percent: percent + 5, message: `did ${step}` });
    }
    const done = { step: null, state: 'succeeded', percent: 100, disk_state: 'complete', exit_code: 0, facts } as const;
    await this.tell(provisionUuid, { ...done, message: 'installed' });
    await this.result(provisionUuid, 'booting');
  }

  async result(provisionUuid: string, outcome: 'booting' | 'failed' | 'aborted'): Promise<number> {
    const seq = this.agent.sendNumbered({
      type: 'provision_result',
      provision_uuid: provisionUuid,
      outcome,
      code: outcome === 'booting' ? null : outcome === 'failed' ? 'device_io' : 'aborted',
      message: outcome === 'booting' ? 'the machine boots the installed system' : `the installation ${outcome}`,
      disk_state: outcome === 'booting' ? 'complete' : 'partial',
    });
    await this.agent.acknowledged(seq);
    return seq;
  }

  async cloudInit(
    provisionUuid: string,
    status: 'done' | 'error' | 'absent',
    errors: readonly string[] = [],
  ): Promise<void> {
    const frame = { type: 'cloud_init_result', provision_uuid: provisionUuid, status, errors };
    await this.agent.acknowledged(this.agent.sendNumbered(frame));
  }
}
