import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { type ServerProcess, startServerProcess } from '../builders/server-process.ts';
import type { Resources } from '../resources.ts';
import type { FleetOrder, FleetReply } from './agent-fleet.ts';

export interface LoadOptions {
  readonly agents: number;
  /** How long they are watched after the last of them has connected. */
  readonly seconds: number;
  /** Between two heartbeats of one agent; default 10 s, as the welcome says. */
  readonly heartbeatMs?: number;
  readonly commandsPerSecond?: number;
}

/** Times in milliseconds unless the name says otherwise; memory is resident, of the server's process. */
export interface LoadReport {
  readonly agents: number;
  readonly seconds: number;
  readonly enrolmentsPerSecond: number;
  readonly hellosPerSecond: number;
  /** Fewest agents that a look at the API found online. */
  readonly fewestOnline: number;
  readonly looks: number;
  /** Oldest `last_seen_at` that a look found: the heartbeat interval and what sending and looking take. */
  readonly oldestHeartbeatMs: number;
  readonly heartbeats: number;
  readonly closes: number;
  readonly longestFleetPauseMs: number;
  readonly commands: number;
  readonly commandP50Ms: number;
  readonly commandP99Ms: number;
  readonly cpuPercent: number;
  readonly cpuMillisecondsPerAgentSecond: number;
  readonly rssBytesIdle: number;
  readonly rssBytesPerAgent: number;
  readonly serverErrors: string;
}

/** Enrols, connects and watches simulated agents against a server process of its own. */
export async function runAgentLoad(resources: Resources, options: LoadOptions): Promise<LoadReport> {
  const { agents, seconds, heartbeatMs = 10_000, commandsPerSecond = 20 } = options;
  await allowSockets(agents);
  const server = await startServerProcess(resources);
  const fleet = startFleet(resources);
  const { body } = await server.api('POST', '/api/provisioning/bootstrap-tokens/', { lifetime: '1d' });
  const token = String(body['token']);
  const order = { do: 'enrol', url: server.url, ca: server.caCertificate, token, count: agents } as const;
  const enrolled = await ask(fleet, order, 'enrol');
  const rssBytesIdle = rssBytes(server.pid);
  const connected = await ask(fleet, { do: 'connect', heartbeatMs }, 'connect');
  const before = { cpu: cpuSeconds(server.pid), atMs: performance.now() };
  const watch = await watchFleet(server, { machineUuids: enrolled.machineUuids, seconds, commandsPerSecond });
  const elapsed = (performance.now() - before.atMs) / 1000;
  const cpu = cpuSeconds(server.pid) - before.cpu;
  const report = await ask(fleet, { do: 'report' }, 'report');
  return {
    agents,
    seconds,
    enrolmentsPerSecond: agents / enrolled.seconds,
    hellosPerSecond: agents / connected.seconds,
    ...watch,
    heartbeats: report.heartbeats,
    closes: report.closes,
    longestFleetPauseMs: report.longestPauseMs,
    cpuPercent: (100 * cpu) / elapsed,
    cpuMillisecondsPerAgentSecond: (1000 * cpu) / elapsed / agents,
    rssBytesIdle,
    rssBytesPerAgent: (rssBytes(server.pid) - rssBytesIdle) / agents,
    serverErrors: server
      .output()
      .stderr.split('\n')
      .filter((line) => /"level":(50|60)/.test(line))
      .slice(0, 3)
      .join('\n'),
  };
}

/** One table, for docs/performance.md. */
export function loadTable(report: LoadReport): string {
  const rows: readonly (readonly [string, string])[] = [
    ['agents, seconds', `${report.agents}, ${report.seconds}`],
    ['online at every look', `${report.fewestOnline} (${report.looks} looks)`],
    [
      'heartbeats sent, oldest last one at any look',
      `${report.heartbeats}, ${Math.round(report.oldestHeartbeatMs)} ms`,
    ],
    ['sockets lost', String(report.closes)],
    ['enrolments', `${report.enrolmentsPerSecond.toFixed(0)} per second`],
    ['TLS handshakes with hello', `${report.hellosPerSecond.toFixed(0)} per second`],
    [
      'command given to outcome stored',
      `p50 ${report.commandP50Ms} ms, p99 ${report.commandP99Ms} ms (${report.commands})`,
    ],
    [
      'CPU of the server',
      `${report.cpuPercent.toFixed(1)} % of one core, ${(report.cpuMillisecondsPerAgentSecond * 1000).toFixed(0)} µs per agent and second`,
    ],
    [
      'memory of the server',
      `${mib(report.rssBytesIdle)} MiB idle, ${(report.rssBytesPerAgent / 1024).toFixed(1)} KiB per agent`,
    ],
  ];
  return ['| what | figure |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
}

interface Watch {
  readonly machineUuids: readonly string[];
  readonly seconds: number;
  readonly commandsPerSecond: number;
}

type Watched = Pick<
  LoadReport,
  'fewestOnline' | 'looks' | 'oldestHeartbeatMs' | 'commands' | 'commandP50Ms' | 'commandP99Ms'
>;

/** Gives commands at a steady rate, looks at all machines every 5 s, and reads the outcomes at the end. */
async function watchFleet(
  server: ServerProcess,
  { machineUuids, seconds, commandsPerSecond }: Watch,
): Promise<Watched> {
  const given: string[] = [];
  let fewestOnline = machineUuids.length;
  let oldestHeartbeatMs = 0;
  let looks = 0;
  const endMs = performance.now() + seconds * 1000;
  const giving = (async () => {
    for (let index = 0; performance.now() < endMs; index += 1) {
      const path = `/api/provisioning/machines/${machineUuids[(index * 7919) % machineUuids.length]}/commands/`;
      const { status, body } = await server.api('POST', path, { kind: 'CollectLogs' });
      if (status !== 201) throw new Error(`a command was answered with ${status}`);
      given.push(`${path}${body['uuid']}`);
      await new Promise((resolve) => setTimeout(resolve, 1000 / commandsPerSecond));
    }
  })();
  while (performance.now() < endMs) {
    const look = await lookAtMachines(server);
    looks += 1;
    fewestOnline = Math.min(fewestOnline, look.online);
    oldestHeartbeatMs = Math.max(oldestHeartbeatMs, look.oldestMs);
    await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, Math.max(0, endMs - performance.now()))));
  }
  await giving;
  const times = (await durations(server, given)).sort((a, b) => a - b);
  return {
    fewestOnline,
    looks,
    oldestHeartbeatMs,
    commands: times.length,
    commandP50Ms: at(times, 0.5),
    commandP99Ms: at(times, 0.99),
  };
}

async function lookAtMachines(server: ServerProcess): Promise<{ online: number; oldestMs: number }> {
  const { body: machines } = await server.api<{ is_online: boolean; last_seen_at: string }[]>(
    'GET',
    '/api/provisioning/machines/',
  );
  const nowMs = Date.now();
  const ages = machines.map(({ last_seen_at }) => nowMs - Date.parse(last_seen_at));
  return {
    online: machines.filter(({ is_online }) => is_online).length,
    oldestMs: ages.reduce((oldest, age) => Math.max(oldest, age), 0),
  };
}

/** A few at a time: thousands of connections at once would be another test. */
async function durations(server: ServerProcess, paths: readonly string[]): Promise<number[]> {
  const waiting = [...paths];
  const times: number[] = [];
  const read = async (): Promise<void> => {
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) times.push(await durationMs(server, path));
  };
  await Promise.all(Array.from({ length: 8 }, read));
  return times;
}

/** From the time that the command was given to its stored outcome, by the server's clock. */
async function durationMs(server: ServerProcess, path: string): Promise<number> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const { body } = await server.api('GET', path);
    if (body['status'] === 'done')
      return Date.parse(String(body['finished_at'])) - Date.parse(String(body['created_at']));
    if (performance.now() > deadlineMs) throw new Error(`a command is still ${body['status']}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A socket is a descriptor; Node raises its soft limit to the hard one, which children inherit and root may raise. */
async function allowSockets(agents: number): Promise<void> {
  const needed = agents + 1000;
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  if (Number(hard) >= needed) return;
  await runCommand('prlimit', ['--pid', String(process.pid), `--nofile=${needed}:${needed}`]);
}

function startFleet(resources: Resources): ChildProcess {
  const file = join(import.meta.dirname, 'agent-fleet.ts');
  return resources.spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

async function ask<K extends FleetReply['did']>(
  fleet: ChildProcess,
  order: FleetOrder,
  did: K,
): Promise<Extract<FleetReply, { did: K }>> {
  return await new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the fleet ended with ${code}`));
    fleet.once('exit', onExit);
    fleet.once('message', (reply: FleetReply) => {
      fleet.off('exit', onExit);
      if (reply.did === did) resolve(reply as Extract<FleetReply, { did: K }>);
      else reject(new Error(`the fleet did ${reply.did}, not ${did}`));
    });
    fleet.send(order);
  });
}

/** User and system time of a process, seconds (proc(5), `stat` fields 14 and 15, in ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function mib(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}
