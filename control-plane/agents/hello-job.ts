import { isIP } from 'node:net';
import type { SQLInputValue } from 'node:sqlite';
import { closeCodes } from '../../protocol/agent-frames.ts';
import { timestampOf } from '../context.ts';
import type { AgentConnection } from './agent-connection.ts';
import type { AgentServices } from './agent-services.ts';
import { agentSettings } from './agent-settings.ts';
import { type Delivery, prepareCommands } from './deliver-commands.ts';
import type { CommitJob } from './group-commit.ts';
import { acknowledgedSeq } from './receipts.ts';
import type { VerifiedHello } from './verify-hello.ts';

/** Stores a verified hello, then welcomes the agent and sends it the commands that have no outcome. */
export function helloJob(connection: AgentConnection, verified: VerifiedHello): CommitJob {
  const { services } = connection;
  const { hello } = verified;
  const { context } = services;
  const nothing: Delivery = { frames: [], isHolding: false };
  let delivery = nothing;
  const store = (): boolean => {
    services.lastSeen.touch(hello.machine_uuid);
    if (!storeHello(services, verified)) return false;
    connection.accept();
    return true;
  };
  return {
    sizeBytes: 1024,
    apply: () => {
      if (!store()) return;
      for (const listener of services.source.listeners) listener.hello?.(hello.machine_uuid, hello);
      delivery = prepareCommands({ ...services, machineUuid: hello.machine_uuid, hello });
    },
    // A listener that fails must not keep the machine away from its server.
    recover: () => {
      delivery = nothing;
      store();
    },
    committed: () => {
      if (!connection.isAccepted) {
        services.lastSeen.forget(hello.machine_uuid);
        return connection.close(closeCodes.unknown_machine, 'this machine is not known here');
      }
      services.onLive(connection);
      connection.send({
        type: 'welcome',
        server_time: timestampOf(context.clock),
        heartbeat_seconds: services.timing.heartbeatSeconds,
        config: agentSettings(context.db, hello.machine_uuid),
        acknowledged_seq: acknowledgedSeq(context.db, hello.machine_uuid, hello.boot_id),
      });
      for (const command of delivery.frames) connection.send(command);
      services.held.set(hello.machine_uuid, delivery.isHolding);
    },
    failed: () => connection.close(closeCodes.failed, 'the server could not store the hello'),
  };
}

/** False when the machine was deleted or has another key since the signature was checked. */
function storeHello({ context }: AgentServices, { hello, publicKey, origin }: VerifiedHello): boolean {
  const columns: Record<string, SQLInputValue> = {
    mode: hello.mode,
    boot_id: hello.boot_id,
    agent_version: hello.agent_version,
    dialled_url: origin,
    discovered_ip_addresses: JSON.stringify(hello.addresses.filter((address) => isIP(address) !== 0)),
    last_seen_at: timestampOf(context.clock),
    // The welcome carries the settings.
    pending_config_push: 0,
  };
  if (hello.mode === 'installed') {
    columns['installed_provision_uuid'] = hello.installed_provision_uuid;
    if (isHostname(hello.hostname)) columns['hostname'] = hello.hostname;
  }
  const names = Object.keys(columns);
  // An operator's choice of a name goes before what the machine calls itself.
  const placeOf = (name: string): string => (name === 'hostname' ? 'COALESCE(chosen_hostname, ?)' : '?');
  const { changes } = context.db
    .prepare(
      `UPDATE machines SET ${names.map((name) => `${name} = ${placeOf(name)}`).join(', ')} WHERE uuid = ? AND public_key = ?`,
    )
    .run(...names.map((name) => columns[name] ?? null), hello.machine_uuid, publicKey);
  return changes === 1;
}

/** What can be shown in a table and says something: `localhost` is the name of a system that was given none. */
function isHostname(name: string | null): name is string {
  return name !== null && /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(name) && !name.startsWith('localhost');
}
