import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MachineBoard } from '../../../../core/operator/machine-board.ts';
import { onlineText, stateText } from '../../../../core/operator/machine-columns.ts';
import { machineView } from '../../../../core/operator/machine-views.ts';
import type { MachineListItem } from '../../../../protocol/api/machines.ts';

const time = '2026-11-20T12:00:00.000Z';
const runUuid = '00000000-0000-4000-8000-0000000000aa';

function machine(index: number, fields: Partial<MachineListItem> = {}): MachineListItem {
  return {
    uuid: `00000000-0000-4000-8000-00000000000${index}`,
    hostname: `node-${index}`,
    needs_provisioning: true,
    pending_config_push: false,
    mesh_ip_address: null,
    wg_ip_address: null,
    is_online: false,
    is_in_initrd: false,
    tunnel_type: 'auto',
    stun_enabled: false,
    auto_update: false,
    inject_agent: true,
    kexec_installer: false,
    role_names: [],
    created_at: time,
    updated_at: time,
    provision_state: 'Discovery mode',
    last_provision: null,
    last_seen_at: null,
    mode: null,
    agent_version: null,
    possible_duplicates: [],
    mesh_network_uuid: null,
    ...fields,
  };
}

function detailed(item: MachineListItem): object {
  const { mesh_network_uuid: uuid, ...rest } = item;
  return {
    ...rest,
    mesh_network: uuid === null ? null : { uuid, name: 'rack', network_cidr: '10.0.0.0/24' },
    target_disk: null,
    discovered_ip_addresses: [],
    system_uuid: null,
    is_enrolled: true,
    macs: [],
    facts: null,
    hardware: null,
    installed_provision_uuid: null,
    install_until: null,
    boot_timeout_seconds: 2700,
  };
}

function run(machineUuid: string, percent: number, uuid = runUuid): object {
  const none = { rate_bps: null, image_uuid: null, image_reference: null, image_digest: null, target_disk: null };
  const times = { started_at: null, completed_at: null, last_event_at: null, booting_at: null, hello_at: null };
  return {
    ...{ uuid, machine_uuid: machineUuid, mode: 'rebuild', status: 'in_progress', current_step: 'layer_extraction' },
    ...{ current_message: 'writing', is_terminal: false, is_active: true, progress_percent: percent },
    ...{ error_message: '', error_code: null, disk_state: null, unconfirmed: false, bytes_done: 1, bytes_total: 2 },
    ...{ role_names: [], cancel_requested_at: null, created_at: time },
    ...none,
    ...times,
  };
}

const lastRun = {
  uuid: runUuid,
  status: 'in_progress',
  current_step: 'x',
  current_message: '',
  progress_percent: 1,
  rate_bps: null,
} as const;

test('messages change, add and remove machines; the order is that of the list', () => {
  const board = new MachineBoard([machine(1), machine(2)]);
  const mesh_network_uuid = runUuid;
  board.apply({ type: 'machine', data: JSON.stringify(detailed(machine(1, { is_online: true, mesh_network_uuid }))) });
  board.apply({ type: 'machine', data: JSON.stringify(detailed(machine(3))) });
  board.apply({ type: 'machine_deleted', data: JSON.stringify({ uuid: machine(2).uuid }) });
  board.apply({ type: 'approval', data: 'not even JSON' });
  assert.deepEqual(
    board.machines.map(({ hostname, is_online, mesh_network_uuid: mesh }) => [hostname, is_online, mesh]),
    [
      ['node-1', true, mesh_network_uuid],
      ['node-3', false, null],
    ],
  );
});

test('a run moves the percentage of its machine; one that is not its newest moves nothing', () => {
  const installing = machine(1, { provision_state: 'Installing', last_provision: lastRun });
  const board = new MachineBoard([installing]);
  board.apply({ type: 'provision', data: JSON.stringify(run(installing.uuid, 42)) });
  assert.equal(board.machines.map(stateText)[0], 'Installing 42%');
  board.apply({ type: 'provision', data: JSON.stringify(run(installing.uuid, 99, machine(7).uuid)) });
  assert.equal(board.machines.map(stateText)[0], 'Installing 42%');
  assert.throws(() => board.apply({ type: 'machine', data: '{}' }), { code: 'server_answer_invalid' });
});

test('what a machine is shown as', () => {
  const now = Date.parse(time);
  assert.equal(onlineText(machine(1, { is_online: true }), now), '● online');
  assert.equal(onlineText(machine(1, { last_seen_at: '2026-11-16T12:00:00Z' }), now), '○ 4d ago');
  assert.equal(onlineText(machine(1), now), '○ never');
  const failed = { provision_state: 'Failed', last_provision: { ...lastRun, status: 'timeout' } } as const;
  assert.equal(stateText(machine(1, failed)), 'Failed (timeout)');
  assert.equal(stateText(machine(1, { possible_duplicates: [runUuid] })), 'Discovery mode, duplicate?');
});

test('--watch --json gives a line for each machine that differs and for each that is gone, and no other', () => {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const view = machineView({ stdout: stream, stderr: stream, json: true, colour: false }, 'https://server');
  const show = (machines: MachineListItem[]): unknown[] => {
    view.show({ machines, problem: null, nowMs: 0 });
    return written.splice(0).map((line) => JSON.parse(line));
  };
  assert.deepEqual(show([machine(1), machine(2)]), [machine(1), machine(2)]);
  assert.deepEqual(show([machine(1), machine(2, { is_online: true })]), [machine(2, { is_online: true })]);
  assert.deepEqual(show([machine(1)]), [{ uuid: machine(2).uuid, deleted: true }]);
  assert.deepEqual(show([machine(1)]), []);
});

test('without a terminal an installation gives a line every 10 %, and a problem is said once on stderr', () => {
  const lines: string[] = [];
  const errors: string[] = [];
  const output = {
    stdout: { write: (text: string) => lines.push(text) },
    stderr: { write: (text: string) => errors.push(text) },
  };
  const view = machineView({ ...output, json: false, colour: false }, 'https://server');
  for (let percent = 0; percent < 25; percent += 1) {
    const item = machine(1, {
      provision_state: 'Installing',
      last_provision: { ...lastRun, progress_percent: percent },
    });
    view.show({ machines: [item], problem: percent < 5 ? null : 'the server is away', nowMs: Date.parse(time) });
  }
  assert.deepEqual(
    lines.filter((line) => line !== ''),
    [
      `2026-11-20T12:00:00Z  node-1  never  Installing 0%  ${machine(1).uuid}\n`,
      `2026-11-20T12:00:00Z  node-1  never  Installing 10%  ${machine(1).uuid}\n`,
      `2026-11-20T12:00:00Z  node-1  never  Installing 20%  ${machine(1).uuid}\n`,
    ],
  );
  assert.deepEqual(errors, ['durantic: the server is away\n']);
});
