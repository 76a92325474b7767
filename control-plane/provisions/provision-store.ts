import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { type RunStatus, runStatuses } from '../../protocol/api/provisions.ts';
import { bootWays } from '../../protocol/commands.ts';
import {
  boolean,
  json,
  number,
  numberOrNull,
  type Row,
  text,
  textList,
  textOrNull,
  timeOrNull,
  timeText,
} from '../store/row-values.ts';
import type { RunState } from './run-state.ts';

/** The machine's settings as they were when the run was queued. */
const runSettingsSchema = z.object({
  hostname: z.string(),
  target_disk: z.string().nullable(),
  inject_agent: z.boolean(),
  kexec_installer: z.boolean(),
  // Runs of older servers have neither.
  boot: z.enum(bootWays).default('reboot'),
  read_back: z.boolean().default(false),
});

export type RunSettings = z.infer<typeof runSettingsSchema>;

/** A run as it is stored. */
export interface StoredRun {
  readonly uuid: string;
  readonly machineUuid: string;
  readonly state: RunState;
  readonly settings: RunSettings;
  readonly imageUuid: string | null;
  /** As the image had it when the run was queued. */
  readonly imageUrl: string;
  readonly imageDigest: string | null;
  readonly registryCredentialUuid: string | null;
  readonly configRevision: number;
  readonly resolveAttempts: number;
  readonly resolveAfterMs: number | null;
}

export type NewRun = Omit<StoredRun, 'imageDigest' | 'resolveAttempts' | 'resolveAfterMs'> & {
  readonly roleNames: readonly string[];
};

const statusSchema = z.enum(runStatuses);
const cloudInitSchema = z.object({ status: z.enum(['done', 'error', 'absent']), errors: z.array(z.string()) });

/** Where the user data of a run is sealed to. */
export function userDataPlace(runUuid: string): string {
  return `provisions/${runUuid}/user_data`;
}

export function findRun(db: DatabaseSync, uuid: string): StoredRun | null {
  const row = db.prepare('SELECT * FROM provisions WHERE uuid = ?').get(uuid);
  return row === undefined ? null : runOf(row);
}

/** The machine's run that has not ended. */
export function findActiveRun(db: DatabaseSync, machineUuid: string): StoredRun | null {
  const row = db
    .prepare(`SELECT * FROM provisions WHERE machine_uuid = ? AND status IN ('queued', 'in_progress')`)
    .get(machineUuid);
  return row === undefined ? null : runOf(row);
}

/** The run that a command belongs to, ended or not. */
export function findRunOfCommand(db: DatabaseSync, machineUuid: string, commandUuid: string): StoredRun | null {
  const row = db
    .prepare('SELECT * FROM provisions WHERE machine_uuid = ? AND command_uuid = ?')
    .get(machineUuid, commandUuid);
  return row === undefined ? null : runOf(row);
}

/** All runs that have not ended, oldest first. */
export function activeRuns(db: DatabaseSync): StoredRun[] {
  return db
    .prepare(`SELECT * FROM provisions WHERE status IN ('queued', 'in_progress') ORDER BY created_at, rowid`)
    .all()
    .map(runOf);
}

/** @throws the database's constraint error when the machine has an active run already. */
export function insertRun(db: DatabaseSync, run: NewRun, nowMs: number): void {
  db.prepare(
    `INSERT INTO provisions (uuid, machine_uuid, mode, status, current_step, current_message, progress_percent,
       image_uuid, image_reference, registry_credential_uuid, role_names, args, config_revision, created_at)
     VALUES (?, ?, 'rebuild', ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    run.uuid,
    run.machineUuid,
    run.state.status,
    run.state.currentStep,
    run.state.currentMessage,
    run.imageUuid,
    run.imageUrl,
    run.registryCredentialUuid,
    JSON.stringify(run.roleNames),
    JSON.stringify(run.settings),
    run.configRevision,
    timeText(nowMs),
  );
}

/** Writes the whole state of a run. */
export function saveRunState(db: DatabaseSync, uuid: string, state: RunState): void {
  db.prepare(
    `UPDATE provisions SET status = ?, current_step = ?, current_message = ?, progress_percent = ?, bytes_done = ?,
       bytes_total = ?, rate_bps = ?, error_code = ?, error_message = ?, disk_state = ?, is_unconfirmed = ?,
       command_uuid = ?, boot_ids = ?, cloud_init = ?, cancel_requested_at = ?, last_event_at = ?, last_hello_at = ?,
       booting_at = ?, hello_at = ?, started_at = ?, completed_at = ? WHERE uuid = ?`,
  ).run(
    state.status,
    state.currentStep,
    state.currentMessage,
    state.progressPercent,
    state.bytesDone,
    state.bytesTotal,
    state.rateBps,
    state.errorCode,
    state.errorMessage,
    state.diskState,
    state.isUnconfirmed ? 1 : 0,
    state.commandUuid,
    JSON.stringify(state.bootIds),
    state.cloudInit === null ? null : JSON.stringify(state.cloudInit),
    timeText(state.cancelRequestedAtMs),
    timeText(state.lastEventAtMs),
    timeText(state.lastHelloAtMs),
    timeText(state.bootingAtMs),
    timeText(state.helloAtMs),
    timeText(state.startedAtMs),
    timeText(state.completedAtMs),
    uuid,
  );
}

/** A row of `provisions`. */
export function runOf(row: Row): StoredRun {
  const settings = runSettingsSchema.parse(json(row, 'args'));
  return {
    uuid: text(row, 'uuid'),
    machineUuid: text(row, 'machine_uuid'),
    state: stateOf(row, settings),
    settings,
    imageUuid: textOrNull(row, 'image_uuid'),
    imageUrl: text(row, 'image_reference'),
    imageDigest: textOrNull(row, 'image_digest'),
    registryCredentialUuid: textOrNull(row, 'registry_credential_uuid'),
    configRevision: number(row, 'config_revision'),
    resolveAttempts: number(row, 'resolve_attempts'),
    resolveAfterMs: timeOrNull(row, 'resolve_after'),
  };
}

function stateOf(row: Row, settings: RunSettings): RunState {
  return {
    status: statusOf(row),
    currentStep: text(row, 'current_step'),
    currentMessage: text(row, 'current_message'),
    progressPercent: number(row, 'progress_percent'),
    bytesDone: numberOrNull(row, 'bytes_done'),
    bytesTotal: numberOrNull(row, 'bytes_total'),
    rateBps: numberOrNull(row, 'rate_bps'),
    errorCode: textOrNull(row, 'error_code'),
    errorMessage: textOrNull(row, 'error_message'),
    diskState: textOrNull(row, 'disk_state'),
    isUnconfirmed: boolean(row, 'is_unconfirmed'),
    injectAgent: settings.inject_agent,
    commandUuid: textOrNull(row, 'command_uuid'),
    bootIds: textList(row, 'boot_ids'),
    cloudInit: row['cloud_init'] === null ? null : cloudInitSchema.parse(json(row, 'cloud_init')),
    cancelRequestedAtMs: timeOrNull(row, 'cancel_requested_at'),
    lastEventAtMs: timeOrNull(row, 'last_event_at'),
    lastHelloAtMs: timeOrNull(row, 'last_hello_at'),
    bootingAtMs: timeOrNull(row, 'booting_at'),
    helloAtMs: timeOrNull(row, 'hello_at'),
    startedAtMs: timeOrNull(row, 'started_at'),
    completedAtMs: timeOrNull(row, 'completed_at'),
  };
}

function statusOf(row: Row): RunStatus {
  return statusSchema.parse(row['status']);
}
