import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { bootstrapTokenSchema } from '../../protocol/api/bootstrap.ts';
import { imageSchema } from '../../protocol/api/images.ts';
import { cliEnvironment } from '../../test/builders/server-cli.ts';
import { startServerProcess } from '../../test/builders/server-process.ts';
import type { Resources } from '../../test/resources.ts';
import { userNetHost } from '../../test/vm/installer-server.ts';
import { distDir } from '../build/paths.ts';
import type { ServerChoice } from './emulation-flags.ts';
import { type EmulationRegistry, type Layout, openRegistry } from './emulation-registry.ts';
import { type EmulationState, saveState } from './emulation-state.ts';

const binary = join(distDir, 'durantic');

/** The server that the machine is to belong to, and how its operator speaks to it. */
export interface EmulationServer {
  /** As the machine dials it. */
  readonly url: string;
  readonly pin: string | null;
  readonly bootUrl: string | null;
  /** Null: the operator has one. */
  readonly registry: EmulationRegistry | null;
  /** For the commands of an operator; null: he has set it himself, or cannot. */
  readonly environment: Readonly<Record<string, string>> | null;
  /** Null where nobody may make one. */
  makeToken(): Promise<string | null>;
}

/** Where things will be, before anything runs: for `--dry-run`. */
export function plannedServer(choice: ServerChoice, state: EmulationState): EmulationServer | null {
  if (choice.kind === 'none') return null;
  const makeToken = async (): Promise<string> => 'TOKEN';
  if (choice.kind === 'given')
    return { ...choice, pin: process.env['DURANTIC_PIN'] ?? null, registry: null, environment: null, makeToken };
  return { ...addressesOf(state), pin: 'PIN', registry: null, environment: null, makeToken };
}

/**
 * Starts `durantic server` on loopback and a registry for it, or takes the server that was named.
 * @param dir Folder of the state, in which the server gets one of its own.
 */
export async function openServer(
  resources: Resources,
  choice: ServerChoice,
  { dir, state, images }: { readonly dir: string; readonly state: EmulationState; readonly images: readonly Layout[] },
): Promise<EmulationServer | null> {
  if (choice.kind === 'none') return null;
  if (choice.kind === 'given') return givenServer(choice);
  const addresses = addressesOf(state);
  const dataDir = join(dir, 'server');
  mkdirSync(dir, { recursive: true });
  const registry = await openRegistry(resources, { dir, port: state.registryPort, images });
  const urls = [`https://127.0.0.1:${state.port}`, addresses.url].flatMap((url) => ['--public-url', url]);
  const server = await startServerProcess(resources, {
    binary,
    dataDir,
    port: state.port,
    args: [
      ...[...urls, '--http-boot', `127.0.0.1:${state.bootPort}`, '--assets', distDir, '--log-level', 'warn'],
      ...['--registry-at', `${registry.name}=${registry.host}`],
    ],
  });
  const adminToken = server.adminToken || state.apiToken || (await newApiToken(dataDir));
  saveState(dir, { ...state, apiToken: adminToken });
  const environment = cliEnvironment({ url: server.url, adminToken, pin: server.pin });
  await offerImages(registry, environment);
  return { ...addresses, pin: server.pin, registry, environment, makeToken: async () => await makeToken(environment) };
}

function addressesOf({ port, bootPort }: EmulationState): { url: string; bootUrl: string } {
  return { url: `https://${userNetHost}:${port}`, bootUrl: `http://${userNetHost}:${bootPort}` };
}

function givenServer({ url, bootUrl }: Extract<ServerChoice, { kind: 'given' }>): EmulationServer {
  const pin = process.env['DURANTIC_PIN'] ?? null;
  const canMakeTokens = Boolean(process.env['DURANTIC_API_TOKEN']);
  const environment = { DURANTIC_ENDPOINT: url };
  return {
    ...{ url, bootUrl, pin, registry: null, environment: null },
    makeToken: async () => (canMakeTokens ? await makeToken(environment) : null),
  };
}

async function newApiToken(dataDir: string): Promise<string> {
  const args = ['server', 'api-token', 'create', '--data-dir', dataDir, '--name', 'run-qemu'];
  return (await runCommand(binary, args)).stdout.trim();
}

/** Makes the server know images that it does not know yet; the first becomes the default where there was none. */
async function offerImages(
  { images }: EmulationRegistry,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const run = async (...args: string[]): Promise<string> =>
    (await runCommand(binary, ['server', ...args, '--json'], { env: environment })).stdout;
  const known = imageSchema
    .pick({ name: true })
    .array()
    .parse(JSON.parse(await run('images', 'list')));
  for (const { name, url } of images.filter((image) => !known.some((other) => other.name === image.name))) {
    const isDefault = known.length === 0 && name === images[0]?.name;
    await run('images', 'add', name, url, ...(isDefault ? ['--default'] : []));
  }
}

async function makeToken(env: Readonly<Record<string, string>>): Promise<string> {
  const args = ['server', 'token', 'create', '--lifetime', '1d', '--name', 'run-qemu', '--json'];
  const { stdout } = await runCommand(binary, args, { env });
  return bootstrapTokenSchema.parse(JSON.parse(stdout)).token;
}
