import assert from 'node:assert/strict';
import fc from 'fast-check';
import { StoredCommandQueue } from '../../control-plane/agents/command-queue.ts';
import { ApiError } from '../../control-plane/http/api-error.ts';
import { createImage } from '../../control-plane/images/store-image.ts';
import { listProvisions } from '../../control-plane/provisions/describe-provision.ts';
import { listHistory } from '../../control-plane/provisions/provision-history.ts';
import { createProvisionService } from '../../control-plane/provisions/provision-service.ts';
import type { AgentFrameListener, AgentHub, NumberedFrame, ProvisionService } from '../../control-plane/services.ts';
import { transaction } from '../../control-plane/store/open-database.ts';
import { type Hello, helloSchema } from '../../protocol/agent-frames.ts';
import type { Resources } from '../resources.ts';
import { minuteMs, provisionEvent } from './run-inputs.ts';
import { FakeClock, passTime, testContext } from './server-context.ts';
import { insertTestMachine } from './test-agent.ts';

/** What can happen to a machine and its server, in any order. */
export type Deed =
  | { readonly do: 'queue' | 'cancel' | 'clear' | 'adopt' | 'restart' | 'repeat' }
  | { readonly do: 'wait' | 'step'; readonly minutes: number }
  | { readonly do: 'connect'; readonly isConnected: boolean }
  | { readonly do: 'hello'; readonly boot: string; readonly mode: Hello['mode']; readonly isThis: boolean }
  | { readonly do: 'reply'; readonly state: 'accepted' | 'rejected' | 'done' | 'failed' }
  | {
      readonly do: 'event';
      readonly boot: string;
      readonly isLast: boolean;
      readonly isGood: boolean;
      readonly percent: number;
    }
  | { readonly do: 'result'; readonly boot: string; readonly outcome: 'booting' | 'failed' | 'aborted' }
  | { readonly do: 'cloud_init'; readonly status: 'done' | 'error' | 'absent' };

const boot = fc.constantFrom('a', 'b', 'c');
export const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('queue', 'restart', 'repeat', 'repeat') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel', 'clear', 'adopt') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), minutes: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('step'), minutes: fc.integer({ min: -600, max: 600 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('connect'), isConnected: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('hello'),
      boot,
      mode: fc.constantFrom('installer', 'installed'),
      isThis: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('reply'), state: fc.constantFrom('accepted', 'done', 'failed') }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('event'),
      boot,
      isLast: fc.boolean(),
      isGood: fc.boolean(),
      percent: fc.integer({ min: 0, max: 100 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('result'), boot, outcome: fc.constantFrom('booting', 'aborted') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('cloud_init'), status: fc.constantFrom('done', 'error', 'absent') }),
  },
) as fc.Arbitrary<Deed>;

/** Runs, commands and a database; what a socket would say is said to the listeners, in transactions as sockets do. */
export class RunWorld {
  readonly clock = new FakeClock();
  readonly context;
  readonly queue: StoredCommandQueue;
  readonly machineUuid: string;
  service: ProvisionService;
  #isConnected = false;
  #seq = 0;
  #last: NumberedFrame | undefined;
  readonly #listeners: AgentFrameListener[] = [];

  constructor(resources: Resources) {
    this.context = testContext(resources, { clock: this.clock });
    this.queue = new StoredCommandQueue(this.context, { listeners: this.#listeners, onDue: () => undefined });
    this.machineUuid = insertTestMachine(this.context).machineUuid;
    const image = { name: 'i', docker_image_url: 'http://127.0.0.1:1/i', description: null };
    const { uuid } = createImage(this.context, { ...image, registry_credential_uuid: null });
    this.context.db.prepare('UPDATE accounts SET default_image_uuid = ?').run(uuid);
    this.service = this.#newService();
  }

  #newService(): ProvisionService {
    const hub: Pick<AgentHub, 'isConnected' | 'lastSeenAt'> = {
      isConnected: () => this.#isConnected,
      lastSeenAt: () => (this.#isConnected ? this.clock.now() : null),
    };
    const service = createProvisionService(this.context, {
      hub: hub as AgentHub,
      commands: this.queue,
      renderMachine: async () => ({ userData: null, parts: [] }),
      random: () => 0,
    });
    this.#listeners.splice(0, 1, service.listener);
    return service;
  }

  /** The newest run, ended or not. */
  get run() {
    return listProvisions(this.context, this.machineUuid)[0];
  }

  async do(what: Deed): Promise<void> {
    try {
      await this.#perform(what);
    } catch (error) {
      // Refused: 404, 409 and 422 are answers.
      if (!(error instanceof ApiError)) throw error;
    }
    await this.service.tick();
    await this.service.settled();
  }

  async #perform(what: Deed): Promise<void> {
    const { service, machineUuid } = this;
    switch (what.do) {
      case 'queue':
        service.queue(machineUuid);
        await service.settled();
        this.context.db.exec(
          `UPDATE provisions SET image_digest = 'sha256:0', resolve_after = NULL WHERE status = 'queued'`,
        );
        return;
      case 'cancel':
        if (this.run !== undefined) service.cancel(machineUuid, this.run.uuid);
        return;
      case 'clear':
        service.clear(machineUuid);
        return;
      case 'adopt':
        service.onAdopted(machineUuid);
        return;
      case 'restart':
        await service.close();
        this.service = this.#newService();
        return;
      case 'repeat':
        if (this.#last !== undefined) this.#frame(this.#last);
        return;
      case 'wait':
        await passTime(this.clock, what.minutes * minuteMs, async () => await this.service.tick());
        return;
      case 'step':
        this.clock.step(what.minutes * minuteMs);
        return;
      case 'connect':
        this.#isConnected = what.isConnected;
        return;
      default:
        this.#say(what);
    }
  }

  #say(what: Extract<Deed, { do: 'hello' | 'reply' | 'event' | 'result' | 'cloud_init' }>): void {
    const provision_uuid = this.run?.uuid;
    if (provision_uuid === undefined) return;
    this.#seq += 1;
    const seq = this.#seq;
    if (what.do === 'hello') {
      this.#hello(what, provision_uuid);
    } else if (what.do === 'reply') {
      const command = this.queue.listOpen(this.machineUuid)[0];
      if (command === undefined) return;
      this.queue.markSent(command.uuid);
      this.#frame({
        type: 'command_reply',
        boot_id: 'a',
        seq,
        command_uuid: command.uuid,
        state: what.state,
        reason: null,
      });
    } else if (what.do === 'event') {
      const last = { step: null, state: what.isGood ? 'succeeded' : 'failed' } as const;
      const event = provisionEvent({ ...(what.isLast ? last : {}), percent: what.percent, provision_uuid });
      this.#frame({ type: 'provision_event', boot_id: what.boot, seq, event });
    } else if (what.do === 'result') {
      const { boot: boot_id, outcome } = what;
      this.#frame({
        type: 'provision_result',
        boot_id,
        seq,
        provision_uuid,
        outcome,
        code: null,
        message: '',
        disk_state: null,
      });
    } else {
      this.#frame({ type: 'cloud_init_result', boot_id: 'd', seq, provision_uuid, status: what.status, errors: [] });
    }
  }

  #hello(what: Extract<Deed, { do: 'hello' }>, provisionUuid: string): void {
    this.#isConnected = true;
    this.context.db.prepare('UPDATE machines SET mode = ?').run(what.mode);
    const hello = helloSchema.parse({
      type: 'hello',
      machine_uuid: this.machineUuid,
      signature: 'A'.repeat(86),
      agent_version: '1',
      protocol_version: 1,
      boot_id: what.boot,
      mode: what.mode,
      installed_provision_uuid: what.isThis ? provisionUuid : null,
      root_disk: null,
      last_event_seq: 0,
    });
    transaction(this.context.db, () => this.service.listener.hello?.(this.machineUuid, hello));
  }

  #frame(frame: NumberedFrame): void {
    this.#last = frame;
    transaction(this.context.db, () => {
      if (frame.type === 'command_reply') this.queue.applyReply(this.machineUuid, frame);
      this.service.listener.frame?.(this.machineUuid, frame);
    });
  }

  /** Waits until nothing can be waiting any more, and takes back what never began. */
  async silence(): Promise<void> {
    await this.do({ do: 'connect', isConnected: false });
    for (let round = 0; round < 3; round += 1) await this.do({ do: 'wait', minutes: 46 });
    if (this.run?.status === 'queued') await this.do({ do: 'cancel' });
  }

  check(): void {
    for (const run of listProvisions(this.context, this.machineUuid)) {
      const ends = listHistory(this.context.db, run.uuid)
        .filter(
          ({ kind, event }) => kind === 'server' && event['status'] !== 'queued' && event['status'] !== 'in_progress',
        )
        .map(({ event }) => event['status']);
      assert.deepEqual(ends, [run.status], 'exactly one outcome, and it is the one that is shown');
      assert.ok(run.is_terminal && run.completed_at !== null);
      assert.equal(this.service.buildArgs(run.uuid), null, 'nothing is installed any more');
    }
    const open = this.queue.listOpen(this.machineUuid).map(({ kind }) => kind);
    assert.ok(!open.includes('ProvisionMachine'), 'no command of an ended run waits for the next hello');
  }
}
