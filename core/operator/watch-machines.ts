import { describeError } from '../base/describe-error.ts';
import { ProvisionError } from '../base/errors.ts';
import { liveEvents } from './live-events.ts';
import { MachineBoard } from './machine-board.ts';
import { machinesOf } from './machine-paths.ts';
import { type MachineView, machineView } from './machine-views.ts';
import type { Operator } from './operator.ts';

const tickMs = 2000;
const reconnectMs = 4000;

/**
 * Shows the machines and every change of theirs until the signal: told by the server's event stream, asked for every 2 s
 * while there is none.
 * @throws ProvisionError when the server cannot be asked at first, or refuses.
 */
export async function watchMachines(operator: Operator): Promise<void> {
  const { api, output, signal } = operator;
  const board = new MachineBoard(await machinesOf(api));
  const view = machineView(output, api.origin);
  try {
    await follow(operator, board, view);
  } catch (error) {
    // ^C is how this ends.
    if (!signal.aborted) throw error;
  } finally {
    view.close();
  }
}

async function follow({ api, now, signal }: Operator, board: MachineBoard, view: MachineView): Promise<void> {
  let problem: string | null = null;
  const show = (): void => view.show({ machines: board.machines, problem, nowMs: now() });
  const refresh = async (): Promise<void> => {
    try {
      board.replace(await machinesOf(api));
      problem = null;
    } catch (error) {
      if (!(error instanceof ProvisionError) || !error.retryable) throw error;
      problem = `${describeError(error)}; trying again`;
    }
  };
  show();
  for await (const news of liveEvents(api, { signal, tickMs, reconnectMs })) {
    if (news.kind === 'event') board.apply(news.event);
    else if (news.kind === 'lost') problem = `${describeError(news.error)}; trying again`;
    else if (news.kind === 'connected' || !news.isLive) await refresh();
    show();
  }
}
