import { z } from 'zod';
import {
  type Provision,
  type ProvisionHistoryEntry,
  provisionHistoryEntrySchema,
  provisionSchema,
} from '../../protocol/api/provisions.ts';
import { type ProvisionEvent, provisionEventSchema } from '../../protocol/provision-event.ts';
import type { ServerSentEvent } from '../api-client/parse-events.ts';
import { abortError } from '../base/abort.ts';
import { describeError } from '../base/describe-error.ts';
import { ProvisionError } from '../base/errors.ts';
import { plainLine } from '../base/plain-text.ts';
import { type LiveNews, liveEvents } from './live-events.ts';
import { machinesPath } from './machine-paths.ts';
import type { Operator } from './operator.ts';

/** Who shows a run: a progress bar, or lines for a program. */
export interface RunDisplay {
  entry?(entry: ProvisionHistoryEntry): void;
  event?(event: ProvisionEvent): void;
  waiting?(text: string, forSeconds: number): void;
  note?(text: string): void;
}

export interface RunName {
  readonly machineUuid: string;
  readonly provisionUuid: string;
}

const tickMs = 1000;
const reconnectMs = 3000;
/** The history is asked for at most this often: a fast installation tells more than an eye can follow. */
const refreshEveryMs = 250;

/**
 * Follows a run to its end, also through restarts of the server: the run goes on without it.
 * @throws ProvisionError `aborted` when the watching is stopped; what cannot get better by waiting.
 */
export async function watchRun(operator: Operator, name: RunName, display: RunDisplay): Promise<Provision> {
  const { api, signal } = operator;
  const watched = new WatchedRun(operator, name, display);
  for await (const news of liveEvents(api, { signal, tickMs, reconnectMs })) {
    const run = await watched.take(news);
    if (run?.is_terminal === true) return run;
  }
  throw abortError(signal);
}

class WatchedRun {
  readonly #operator: Operator;
  readonly #name: RunName;
  readonly #display: RunDisplay;
  #run: Provision | null = null;
  #afterId = 0;
  #refreshedAtMs = 0;
  #isStale = false;
  #waitingText = '';
  #waitingSinceMs = 0;
  #isLost = false;

  constructor(operator: Operator, name: RunName, display: RunDisplay) {
    this.#operator = operator;
    this.#name = name;
    this.#display = display;
  }

  /** @returns The run as it is known. */
  async take(news: LiveNews): Promise<Provision | null> {
    if (news.kind === 'lost') this.#sayLost(news.error);
    else if (this.#asksForMore(news)) await this.#refresh();
    this.#showWaiting();
    return this.#run;
  }

  #asksForMore(news: Exclude<LiveNews, { kind: 'lost' }>): boolean {
    if (news.kind === 'connected') return true;
    if (news.kind === 'tick') return this.#isStale || !news.isLive;
    if (!this.#isOurs(news.event)) return false;
    this.#isStale = true;
    const isEnd = /"is_terminal":true/.test(news.event.data) || news.event.type === 'machine_deleted';
    return isEnd || this.#operator.now() - this.#refreshedAtMs >= refreshEveryMs;
  }

  #isOurs({ type, data }: ServerSentEvent): boolean {
    if (type === 'provision') return data.includes(this.#name.provisionUuid);
    return type === 'machine_deleted' && data.includes(this.#name.machineUuid);
  }

  async #refresh(): Promise<void> {
    const { api, now } = this.#operator;
    const path = `${machinesPath}${this.#name.machineUuid}/provisions/${this.#name.provisionUuid}`;
    try {
      // In this order the history has everything that led to the run's state.
      const run = await api.get(path, provisionSchema);
      const entries = await api.get(`${path}/events?after=${this.#afterId}`, z.array(provisionHistoryEntrySchema));
      this.#run = run;
      this.#isStale = false;
      this.#isLost = false;
      this.#refreshedAtMs = now();
      for (const entry of entries) this.#show(entry);
    } catch (error) {
      if (!(error instanceof ProvisionError) || !error.retryable) throw error;
      this.#sayLost(error);
    }
  }

  #show(entry: ProvisionHistoryEntry): void {
    this.#afterId = entry.id;
    this.#display.entry?.(entry);
    if (entry.kind !== 'provision_event') return;
    const event = provisionEventSchema.safeParse(entry.event);
    // The agent's last event is not the end of the run: the machine has yet to come back.
    if (event.success && event.data.step !== null) {
      this.#display.event?.({ ...event.data, message: plainLine(event.data.message) });
    }
  }

  #sayLost(error: ProvisionError): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#display.note?.(`${describeError(error)}; the machine goes on, and the server is asked again`);
  }

  /** Outside the seven steps nothing has a percentage: the machine is waited for. */
  #showWaiting(): void {
    const run = this.#run;
    const label = run === null || run.is_terminal ? undefined : waitingLabels[run.current_step];
    if (run === null || label === undefined) return;
    const { now } = this.#operator;
    const text = plainLine(`${label}: ${run.current_message}`);
    if (text !== this.#waitingText) this.#waitingSinceMs = now();
    this.#waitingText = text;
    this.#display.waiting?.(text, (now() - this.#waitingSinceMs) / 1000);
  }
}

/** `current_step` of a run outside the agent's steps. */
const waitingLabels: Readonly<Record<string, string | undefined>> = {
  queued: 'Queued',
  entering_installer: 'Entering the installer',
  booting: 'Booting the installed system',
  cloud_init: 'Configuring the installed system',
};
