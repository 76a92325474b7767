import type { AgentFrame, Hello } from '../../protocol/agent-frames.ts';
import type { ServerContext } from '../context.ts';
import { timestampOf } from '../context.ts';
import type { AgentFrameListener, NumberedFrame, StoredCommand } from '../services.ts';
import { addHistory, type HistoryLine } from './provision-history.ts';
import { findActiveRun, findRun, findRunOfCommand } from './provision-store.ts';
import type { RunKeeper } from './run-keeper.ts';
import type { RunInput, SystemOfRun } from './run-state.ts';
import { isOnAnotherDisk } from './target-disk.ts';

type RunFrame = AgentFrame<'provision_event' | 'provision_result' | 'cloud_init_result'>;

const longestMessage = 2000;
const mostErrors = 20;

/** What agents say, as it concerns runs. A machine can speak of its own runs only. */
export function provisionListener(context: ServerContext, keeper: RunKeeper): AgentFrameListener {
  return {
    hello: (machineUuid, hello) => onHello(context, keeper, machineUuid, hello),
    frame: (machineUuid, frame) => onFrame(context, keeper, machineUuid, frame),
    commandEnded: (command) => onCommandEnded(context, keeper, command),
  };
}

function onHello(context: ServerContext, keeper: RunKeeper, machineUuid: string, hello: Hello): void {
  // The machine has just said what it calls itself; the operator's name stays, and comes onto it with the next run.
  context.db
    .prepare('UPDATE machines SET hostname = chosen_hostname WHERE uuid = ? AND chosen_hostname IS NOT NULL')
    .run(machineUuid);
  // Whatever its runs have come to, it is a machine with a system on it, whose key is not to be replaced by another.
  if (hello.mode === 'installed') {
    context.db.prepare('UPDATE machines SET was_installed = 1 WHERE uuid = ?').run(machineUuid);
  }
  const run = findActiveRun(context.db, machineUuid);
  if (run === null) return;
  keeper.apply(run.uuid, {
    type: 'hello',
    bootId: hello.boot_id,
    mode: hello.mode,
    system: systemOf(context, run.uuid, hello),
    rootDisk: hello.root_disk?.serial ?? hello.root_disk?.wwn ?? null,
  });
}

function systemOf({ db }: ServerContext, runUuid: string, hello: Hello): SystemOfRun {
  if (hello.installed_provision_uuid !== runUuid) return 'another';
  return isOnAnotherDisk(db, runUuid, hello.root_disk) ? 'copy' : 'this';
}

function onFrame(context: ServerContext, keeper: RunKeeper, machineUuid: string, frame: NumberedFrame): void {
  if (frame.type === 'command_reply') {
    const run = frame.state === 'accepted' ? findRunOfCommand(context.db, machineUuid, frame.command_uuid) : null;
    if (run !== null) keeper.apply(run.uuid, { type: 'accepted', message: frame.reason && clip(frame.reason) });
    return;
  }
  if (frame.type === 'log') return;
  const provisionUuid = frame.type === 'provision_event' ? frame.event.provision_uuid : frame.provision_uuid;
  const run = findRun(context.db, provisionUuid);
  if (run === null || run.machineUuid !== machineUuid) {
    context.log.warn(
      { machine_uuid: machineUuid, provision_uuid: provisionUuid },
      'a machine reports about a run that is not its own',
    );
    return;
  }
  const { seq, boot_id: bootId } = frame;
  const line: HistoryLine = { provisionUuid, bootId, seq, kind: frame.type, event: contentOf(frame) };
  if (addHistory(context.db, line, timestampOf(context.clock))) keeper.apply(run.uuid, inputOf(frame));
}

function contentOf(frame: RunFrame): object {
  if (frame.type === 'provision_event') return frame.event;
  const { type: _type, boot_id: _bootId, seq: _seq, ...content } = frame;
  return content;
}

function inputOf(frame: RunFrame): RunInput {
  const bootId = frame.boot_id;
  if (frame.type === 'provision_event') {
    return { type: 'event', bootId, event: { ...frame.event, message: clip(frame.event.message) } };
  }
  if (frame.type === 'cloud_init_result') {
    const errors = frame.errors.slice(0, mostErrors).map(clip);
    return { type: 'cloud_init', report: { status: frame.status, errors } };
  }
  const { outcome, code, message, disk_state: diskState } = frame;
  return { type: 'result', bootId, outcome, code, message: clip(message), diskState };
}

/** The history has the whole text; what is shown with every look at the run is kept short. */
function clip(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage - 1)}…`;
}

function onCommandEnded(context: ServerContext, keeper: RunKeeper, command: StoredCommand): void {
  const { machineUuid, reason, status } = command;
  if (status !== 'rejected' && status !== 'failed' && status !== 'canceled') return;
  if (command.kind === 'ProvisionMachine') {
    const run = findRunOfCommand(context.db, machineUuid, command.uuid);
    if (run !== null) keeper.apply(run.uuid, { type: 'refused', state: status, reason });
    return;
  }
  if (command.kind !== 'CancelProvision' || status === 'canceled') return;
  // Of the run that it was given for, which may be over, and the next one under way.
  const { provision_uuid: provisionUuid } = command.args as { provision_uuid: string };
  const run = findRun(context.db, provisionUuid);
  if (run?.machineUuid === machineUuid) keeper.apply(run.uuid, { type: 'cancel_refused', reason });
}
