import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ServerContext } from '../../control-plane/context.ts';
import { accountOfApiToken, createApiToken } from '../../control-plane/enrolment/api-tokens.ts';
import { Enrolment } from '../../control-plane/enrolment/enrolment.ts';
import { enrolmentRoutes } from '../../control-plane/enrolment/enrolment-routes.ts';
import { ApiError } from '../../control-plane/http/api-error.ts';
import { createApp } from '../../control-plane/http/create-app.ts';
import { registerRoutes } from '../../control-plane/http/register-routes.ts';
import type { LiveEvent } from '../../control-plane/live/event-bus.ts';
import type { AgentHub } from '../../control-plane/services.ts';
import { silentLogger } from '../../core/base/logger.ts';
import { type MachineFacts, machineFactsSchema } from '../../protocol/machine-facts.ts';
import type { Resources } from '../resources.ts';
import { FakeClock, testContext } from './server-context.ts';

/** Sockets as a test wants them to be: who is connected, and who answers. */
export class ScriptedHub implements AgentHub {
  /** Machine → whether its socket answers a ping. */
  readonly sockets = new Map<string, boolean>();
  readonly seen = new Map<string, number>();
  readonly disconnected: { machineUuid: string; code: number }[] = [];
  /** Runs while a ping is under way. */
  onPing: (machineUuid: string) => Promise<void> | void = () => undefined;

  isConnected(machineUuid: string): boolean {
    return this.sockets.has(machineUuid);
  }

  send(): boolean {
    return false;
  }

  async answersPing(machineUuid: string): Promise<boolean> {
    await this.onPing(machineUuid);
    return this.sockets.get(machineUuid) ?? false;
  }

  disconnect(machineUuid: string, code: number): void {
    this.sockets.delete(machineUuid);
    this.disconnected.push({ machineUuid, code });
  }

  lastSeenAt(machineUuid: string): number | null {
    return this.seen.get(machineUuid) ?? null;
  }

  pushConfig(): void {}
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface EnrolmentServerOptions {
  readonly context?: Partial<ServerContext>;
}

/** The routes of enrolment on a real database, with a scripted hub and a clock that the test moves. */
export class EnrolmentServer {
  readonly context: ServerContext;
  readonly clock: FakeClock;
  readonly hub = new ScriptedHub();
  readonly enrolment: Enrolment;
  readonly apiToken: string;
  readonly adopted: string[] = [];
  readonly events: LiveEvent[] = [];
  readonly #app: FastifyInstance;

  constructor(resources: Resources, clock: FakeClock, options: EnrolmentServerOptions = {}) {
    this.clock = clock;
    this.context = testContext(resources, { clock, ...options.context });
    this.context.events.subscribe((event) => this.events.push(event));
    this.enrolment = new Enrolment(this.context, { hub: this.hub, onAdopted: (uuid) => this.adopted.push(uuid) });
    const { db, accountUuid } = this.context;
    this.apiToken = createApiToken(db, { accountUuid, name: 'rack operator', nowMs: clock.now() }).token;
    this.#app = createApp({ log: silentLogger });
    registerRoutes(this.#app, enrolmentRoutes(this.enrolment), {
      authenticate: (request) => {
        const account = accountOfApiToken(this.context, request.headers.authorization?.slice(7) ?? '');
        if (account === null) throw new ApiError(401, 'no');
        return account;
      },
      publicAccountUuid: accountUuid,
    });
    resources.defer('close the application', () => this.#app.close());
  }

  /** A request of an operator, or of a machine (the token does no harm there). */
  async call(method: string, url: string, body?: unknown, address = '192.0.2.1'): Promise<Reply> {
    const response = await this.#app.inject({
      method: method as 'GET',
      url,
      remoteAddress: address,
      headers: { authorization: `Bearer ${this.apiToken}` },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const isJson = response.payload.startsWith('{') || response.payload.startsWith('[');
    return {
      status: response.statusCode,
      body: isJson ? (JSON.parse(response.payload) as Record<string, unknown>) : {},
      text: response.payload,
      headers: response.headers,
    };
  }

  async makeToken(lifetime = '10m'): Promise<string> {
    const reply = await this.call('POST', '/api/provisioning/bootstrap-tokens/', { lifetime });
    if (reply.status !== 201) throw new Error(`no token: ${reply.text}`);
    return String(reply.body['token']);
  }

  async enrol(token: string, key: string, facts: MachineFacts, address?: string): Promise<Reply> {
    const body = { token, public_key: { kty: 'OKP', crv: 'Ed25519', x: key }, facts };
    return await this.call('POST', '/api/agent/enroll', body, address);
  }

  /** Enrols and gives the machine's UUID. */
  async enrolled(token: string, key: string, facts: MachineFacts): Promise<string> {
    const reply = await this.enrol(token, key, facts);
    if (reply.status !== 201 && reply.status !== 200) throw new Error(`not enrolled: ${reply.text}`);
    return String(reply.body['machine_uuid']);
  }

  machine(uuid: string): Record<string, unknown> {
    const row = this.context.db.prepare('SELECT * FROM machines WHERE uuid = ?').get(uuid);
    if (row === undefined) throw new Error(`no machine ${uuid}`);
    return { ...row };
  }

  machineCount(): number {
    return Number(this.context.db.prepare('SELECT count(*) AS n FROM machines').get()?.['n']);
  }

  duplicatesOf(uuid: string): unknown {
    return JSON.parse(String(this.machine(uuid)['possible_duplicates']));
  }

  machineEvents(uuid: string): string[] {
    return this.context.db
      .prepare('SELECT kind FROM machine_events WHERE machine_uuid = ? ORDER BY id')
      .all(uuid)
      .map((row) => String(row['kind']));
  }

  setInstalled(uuid: string): void {
    this.context.db.prepare('UPDATE machines SET was_installed = 1 WHERE uuid = ?').run(uuid);
  }
}

export function enrolmentServer(resources: Resources, options: EnrolmentServerOptions = {}): EnrolmentServer {
  return new EnrolmentServer(resources, new FakeClock(), options);
}

/** 32 bytes as the `x` of a JWK; enrolment does not look at the point behind them. */
export function randomKey(): string {
  return randomBytes(32).toString('base64url');
}

/** Facts of a machine of a common series, number 0 and up. */
export function factsOf(index: number, overrides: Partial<MachineFacts> = {}): MachineFacts {
  const hex = index.toString(16).padStart(4, '0');
  return machineFactsSchema.parse({
    hostname: null,
    system_uuid: `4c4c4544-0042-3510-8052-b4c04f33${hex}`,
    system_vendor: 'Dell Inc.',
    product_name: 'PowerEdge R640',
    system_serial: `B5R${hex}`,
    board_serial: `CN7475192${hex}`,
    architecture: 'x64',
    firmware: 'uefi',
    mode: 'installer',
    nics: [
      { name: 'eno1', mac: `d0:94:66:00:${hex.slice(0, 2)}:${hex.slice(2)}` },
      { name: 'eno2', mac: `d0:94:66:01:${hex.slice(0, 2)}:${hex.slice(2)}` },
    ],
    addresses: ['10.0.0.9'],
    ...overrides,
  });
}
