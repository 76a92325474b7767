import type { Machine, MachineEventEntry } from '../../protocol/api/machines.ts';
import type { Inventory } from '../../protocol/inventory.ts';
import { formatBytes } from '../base/format-bytes.ts';
import { plainLine } from '../base/plain-text.ts';
import { shortTime, timeAgo } from './time-ago.ts';

const labelColumns = 17;
const mostEvents = 10;

/** Everything about one machine for a person: what it is, what it shall be, its hardware, what happened to it. */
export function describeMachine(machine: Machine, events: readonly MachineEventEntry[], nowMs: number): string[] {
  return [
    ...rows(identity(machine, nowMs)),
    '',
    ...rows(settings(machine)),
    ...(machine.hardware === null ? [] : ['', ...rows(hardware(machine.hardware)), ...disks(machine.hardware)]),
    ...(events.length === 0 ? [] : ['', ...history(events)]),
  ];
}

type Row = readonly [label: string, value: string | null];

function rows(list: readonly Row[]): string[] {
  return list
    .filter(([, value]) => value !== null && value !== '')
    .map(([label, value]) => `${`${label}:`.padEnd(labelColumns)}${plainLine(value ?? '')}`);
}

function identity(machine: Machine, nowMs: number): Row[] {
  const { facts, last_provision: run } = machine;
  const seen = machine.last_seen_at;
  return [
    ['Machine', `${machine.hostname} (${machine.uuid})`],
    ['Online', machine.is_online ? 'yes' : seen === null ? 'never' : `no, seen ${timeAgo(Date.parse(seen), nowMs)}`],
    ['Runs', modeOf(machine)],
    ['State', machine.provision_state],
    ['Last run', run === null ? null : `${run.status}, ${run.progress_percent}%: ${run.current_message} (${run.uuid})`],
    ['Product', [facts?.system_vendor, facts?.product_name].filter(Boolean).join(' ')],
    ['Serial', facts?.system_serial ?? null],
    ['System UUID', machine.system_uuid],
    ['Addresses', machine.discovered_ip_addresses.join(', ')],
    ['MAC', machine.macs.join(', ')],
    [
      'Duplicate of',
      machine.possible_duplicates.length === 0 ? null : `perhaps ${machine.possible_duplicates.join(', ')}`,
    ],
    ['Network boot', machine.install_until === null ? null : `installer until ${shortTime(machine.install_until)} UTC`],
  ];
}

function modeOf(machine: Machine): string | null {
  if (!machine.is_enrolled) return 'not enrolled yet';
  const version = machine.agent_version === null ? '' : `, agent ${machine.agent_version}`;
  return machine.mode === null
    ? null
    : `${machine.mode === 'installer' ? 'the installer' : 'an installed system'}${version}`;
}

function settings(machine: Machine): Row[] {
  const mesh = machine.mesh_network;
  return [
    ['Roles', machine.role_names.length === 0 ? 'none' : machine.role_names.join(', ')],
    [
      'Mesh',
      mesh === null ? 'none' : `${mesh.name} (${mesh.network_cidr}), ${machine.mesh_ip_address ?? 'no address'}`,
    ],
    ['Target disk', machine.target_disk ?? 'the only eligible one'],
    ['Inject agent', yesNo(machine.inject_agent)],
    ['Kexec installer', yesNo(machine.kexec_installer)],
    ['Auto update', yesNo(machine.auto_update)],
    ['Boot timeout', `${Math.round(machine.boot_timeout_seconds / 60)} min`],
    ['To be installed', yesNo(machine.needs_provisioning)],
  ];
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

function hardware({ cpu, memory_bytes: memory, firmware, virtualisation, kernel, os, nics, gpus }: Inventory): Row[] {
  const counts = [countOf(cpu.sockets, 'socket'), countOf(cpu.cores, 'core'), countOf(cpu.threads, 'thread')];
  const secure = firmware.secure_boot === true ? ', secure boot' : '';
  return [
    ['CPU', [cpu.model, counts.filter((text) => text !== null).join(', ')].filter(Boolean).join('; ')],
    ['Memory', memory === null ? null : formatBytes(memory)],
    ['Firmware', [firmware.kind, firmware.vendor, firmware.version].filter(Boolean).join(' ') + secure],
    ['Virtual', virtualisation === 'none' ? null : virtualisation],
    ['System', [os, kernel].filter(Boolean).join(', kernel ')],
    ...nics.map((nic): Row => ['NIC', nicText(nic)]),
    ...gpus.map(({ vendor, device }): Row => ['GPU', [vendor, device].filter(Boolean).join(' ')]),
  ];
}

function countOf(count: number | null, what: string): string | null {
  return count === null ? null : `${count} ${what}${count === 1 ? '' : 's'}`;
}

function nicText(nic: Inventory['nics'][number]): string {
  const link = nic.has_carrier === null ? null : nic.has_carrier ? 'link' : 'no link';
  const speed = nic.speed_mbps === null ? null : `${nic.speed_mbps} Mbit/s`;
  return [`${nic.name} ${nic.mac ?? ''}`.trim(), nic.driver, link, speed, nic.addresses.join(' ')]
    .filter(Boolean)
    .join(', ');
}

function disks({ disks: list }: Inventory): string[] {
  return rows(
    list.map((disk): Row => {
      const name = [disk.model, disk.serial === null ? null : `serial ${disk.serial}`, disk.transport].filter(Boolean);
      const fit = disk.is_eligible
        ? 'can be installed on'
        : `not to be installed on: ${disk.reason ?? 'unknown reason'}`;
      return ['Disk', `${disk.path}, ${formatBytes(disk.size_bytes)}, ${[...name, fit].join(', ')}`];
    }),
  );
}

function history(events: readonly MachineEventEntry[]): string[] {
  return [
    'What happened (UTC):',
    ...events.slice(-mostEvents).map(({ time, message }) => `  ${shortTime(time)}  ${plainLine(message)}`),
  ];
}
