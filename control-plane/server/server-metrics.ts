import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { runStatuses } from '../../protocol/api/provisions.ts';
import type { ServerContext } from '../context.ts';
import type { EnrolmentCounters } from '../enrolment/enrolment.ts';
import type { AgentFrameListener, StoredCommand } from '../services.ts';

export interface FinishedRequest {
  readonly method: string;
  /** The route's pattern, never the path: paths hold identifiers. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface MetricsSources {
  /** Machines with a live socket, and sockets that have not said hello. */
  readonly agentCounts: () => { readonly connected: number; readonly waiting: number };
  readonly enrolment: EnrolmentCounters;
}

/** The server's figures in Prometheus' terms; nothing in them names a machine, a user or an object. */
export class ServerMetrics {
  readonly registry = new Registry();
  /** For the hub: measures how long commands take. */
  readonly listener: AgentFrameListener;
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  readonly #commands: Histogram<'kind' | 'outcome'>;

  constructor(context: ServerContext, sources: MetricsSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Histogram({
      name: 'durantic_http_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
      registers,
    });
    this.#commands = new Histogram({
      name: 'durantic_command_duration_seconds',
      help: 'Time from sending a command to its outcome',
      labelNames: ['kind', 'outcome'],
      buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000],
      registers,
    });
    addMemoryFigures(this.registry, sources);
    addDatabaseGauges(this.registry, context);
    this.listener = { commandEnded: (command) => this.#observeCommand(command) };
  }

  observeRequest({ method, route, status, seconds }: FinishedRequest): void {
    this.#requests.observe({ method, route, status }, seconds);
  }

  #observeCommand({ kind, status, sentAt, finishedAt }: StoredCommand): void {
    if (sentAt === null || finishedAt === null) return;
    this.#commands.observe({ kind, outcome: status }, (Date.parse(finishedAt) - Date.parse(sentAt)) / 1000);
  }
}

/** Figures that the parts of the server keep in memory. */
function addMemoryFigures(registry: Registry, { agentCounts, enrolment }: MetricsSources): void {
  const registers = [registry];
  const agents: Gauge<'state'> = new Gauge({
    name: 'durantic_agent_sockets',
    help: 'Sockets of agents: connected ones have said hello, waiting ones have not yet',
    labelNames: ['state'],
    collect: () => {
      for (const [state, count] of Object.entries(agentCounts())) agents.set({ state }, count);
    },
    registers,
  });
  const enrolments: Counter<'event'> = new Counter({
    name: 'durantic_enrolment_events_total',
    help: 'What happened in enrolment since the server started',
    labelNames: ['event'],
    collect: () => {
      enrolments.reset();
      for (const [name, count] of Object.entries(enrolment)) enrolments.inc({ event: snakeCase(name) }, count);
    },
    registers,
  });
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Figures that the database knows are read when they are asked for. */
function addDatabaseGauges(registry: Registry, { db }: ServerContext): void {
  const registers = [registry];
  const machines: Gauge = new Gauge({
    name: 'durantic_machines',
    help: 'Machines on record',
    collect: () => machines.set(Number(db.prepare('SELECT count(*) AS n FROM machines').get()?.['n'])),
    registers,
  });
  const provisions: Gauge<'status'> = new Gauge({
    name: 'durantic_provisions',
    help: 'Provisions on record by status',
    labelNames: ['status'],
    collect: () => {
      for (const status of runStatuses) provisions.set({ status }, 0);
      for (const row of db.prepare('SELECT status, count(*) AS n FROM provisions GROUP BY status').all()) {
        provisions.set({ status: String(row['status']) }, Number(row['n']));
      }
    },
    registers,
  });
}
