import type { Provision } from '../../protocol/api/provisions.ts';
import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import { type Row, text, textList, textOrNull } from '../store/row-values.ts';
import { runOf } from './provision-store.ts';
import { findMachine } from './queue-run.ts';
import { isTerminal } from './run-state.ts';

/** A machine's runs, newest first. @throws ApiError 404. */
export function listProvisions(context: ServerContext, machineUuid: string): Provision[] {
  findMachine(context, machineUuid);
  return context.db
    .prepare('SELECT * FROM provisions WHERE machine_uuid = ? ORDER BY rowid DESC')
    .all(machineUuid)
    .map(describe);
}

/** @throws ApiError 404, also for a run of another machine. */
export function describeProvision(context: ServerContext, machineUuid: string, provisionUuid: string): Provision {
  findMachine(context, machineUuid);
  const row = context.db
    .prepare('SELECT * FROM provisions WHERE uuid = ? AND machine_uuid = ?')
    .get(provisionUuid, machineUuid);
  if (row === undefined) throw notFound('the run');
  return describe(row);
}

function describe(row: Row): Provision {
  const { state, settings, ...run } = runOf(row);
  return {
    uuid: run.uuid,
    machine_uuid: run.machineUuid,
    mode: 'rebuild',
    status: state.status,
    current_step: state.currentStep,
    current_message: state.currentMessage,
    is_terminal: isTerminal(state.status),
    is_active: !isTerminal(state.status),
    progress_percent: Math.floor(state.progressPercent),
    error_message: state.errorMessage ?? '',
    error_code: state.errorCode,
    disk_state: state.diskState as Provision['disk_state'],
    unconfirmed: state.isUnconfirmed,
    bytes_done: state.bytesDone,
    bytes_total: state.bytesTotal,
    rate_bps: state.rateBps,
    role_names: textList(row, 'role_names'),
    image_uuid: run.imageUuid,
    image_reference: run.imageUrl,
    image_digest: run.imageDigest,
    target_disk: settings.target_disk,
    cancel_requested_at: textOrNull(row, 'cancel_requested_at'),
    created_at: text(row, 'created_at'),
    started_at: textOrNull(row, 'started_at'),
    completed_at: textOrNull(row, 'completed_at'),
    last_event_at: textOrNull(row, 'last_event_at'),
    booting_at: textOrNull(row, 'booting_at'),
    hello_at: textOrNull(row, 'hello_at'),
  };
}
