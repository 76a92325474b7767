import assert from 'node:assert/strict';
import type { Machine } from '../../protocol/api/machines.ts';
import type { Provision } from '../../protocol/api/provisions.ts';
import { type Resources, waitFor } from '../resources.ts';
import { PlayedMachine } from './played-machine.ts';
import { startRegistry } from './registry.ts';
import { startTestServer, type TestServer, type TestServerOptions } from './server.ts';
import { insertTestMachine, type TestIdentity } from './test-agent.ts';
import { tinyImage } from './tiny-image.ts';

/** What a `durantic_machine_deployment` resource is configured with: known, non-empty values only. */
type Deployment = Readonly<Record<string, unknown>>;

export interface Applied {
  readonly provisionUuid: string;
  readonly status: string;
  readonly polls: number;
  readonly machine: Machine;
}

/** The provider's create: PATCH, provision, poll until `is_terminal`, refresh. It waits 10 s between polls; we less. */
export async function applyDeployment(server: TestServer, uuid: string, deployment: Deployment): Promise<Applied> {
  const item = `/api/provisioning/machines/${uuid}`;
  const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const reply = await server.api<T>(method, path, body);
    if (reply.status >= 300) throw new Error(`${reply.status}: ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  await send('PATCH', item, deployment);
  const started = await send<{ provision_uuid: string }>('POST', `${item}/provision`, { mode: 'rebuild' });
  const provisionUuid = started.provision_uuid;
  let polls = 0;
  const last = await waitFor(
    'the run to end',
    async () => {
      polls += 1;
      const run = await send<Provision>('GET', `${item}/provisions/${provisionUuid}`);
      assert.ok(typeof run.status === 'string' && typeof run.current_step === 'string');
      assert.ok(typeof run.current_message === 'string' && Number.isInteger(run.progress_percent));
      assert.equal(run.is_active, !run.is_terminal);
      return run.is_terminal && run;
    },
    { timeoutMs: 30_000, intervalMs: 20 },
  );
  if (last.status !== 'completed') {
    throw new Error(`Provision Failed (${last.status}): ${last.error_message}`);
  }
  return { provisionUuid, status: last.status, polls, machine: await send('GET', item) };
}

export interface Rack {
  readonly server: TestServer;
  readonly machine: PlayedMachine;
  readonly meshUuid: string;
  readonly digest: string;
}

/** A server with a registry, an image on one of two roles, a mesh network and one machine in the installer. */
export async function startRack(resources: Resources, options: TestServerOptions = {}): Promise<Rack> {
  const registry = await startRegistry(resources);
  const image = await tinyImage(resources);
  const server = await startTestServer(resources, options);
  const create = async (path: string, body: object): Promise<string> => {
    const reply = await server.api<{ uuid: string }>('POST', path, body);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return reply.body.uuid;
  };
  const imageUuid = await create('/api/provisioning/images/', {
    name: 'tiny',
    docker_image_url: `http://${await registry.push(image.reference, 'os/tiny:latest')}`,
    registry_credential_uuid: null,
    description: 'for tests',
  });
  const roles = '/api/controlplane/machine-roles/';
  await create(roles, {
    name: 'web',
    image_uuid: imageUuid,
    template_data: '#cloud-config\nhostname: {{ machine.hostname }}\n',
  });
  await create(roles, { name: 'base', merge_priority: 10, template_data: '#cloud-config\npackages: [vim]\n' });
  await create(roles, {
    name: 'broken',
    image_uuid: imageUuid,
    template_data: '#cloud-config\nx: {{ secrets.NONE }}\n',
  });
  const meshUuid = await create('/api/controlplane/mesh-networks/', { name: 'rack', network_cidr: '10.40.0.0/24' });
  const machine = playMachine(resources, server, insertTestMachine(server.context));
  await machine.bootInstaller();
  return { server, machine, meshUuid, digest: image.digest };
}

export function playMachine(resources: Resources, server: TestServer, identity: TestIdentity): PlayedMachine {
  return new PlayedMachine(resources, { url: server.url, ca: server.caCertificate, identity });
}

/** The machine's part: takes the `count`th command of its boot, installs, boots the installed system. */
export async function playInstallation(machine: PlayedMachine, count = 1): Promise<string> {
  const { args } = await machine.take(count);
  await machine.install(args.provision_uuid);
  await machine.bootInstalled(args.provision_uuid);
  return args.provision_uuid;
}
