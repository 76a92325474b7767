import assert from 'node:assert/strict';
import { writeFakeBundle } from '../../builders/agent-bundle.ts';
import { MachineRoot, type Outcome, type RunOptions, unpackMachineRoot } from '../../builders/machine-root.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import type { Resources } from '../../resources.ts';

/** The token that `goodProgram` takes. */
const token = 'eyJhbGciOiJkaXIifQ..S3CR3T';
const identity = '{"machine_uuid": "6f1c7b1e-0000-4000-8000-000000000001"}';

/** Enrols as the program does, as far as install.sh can see it; the token must come by the environment only. */
export const goodProgram = `
case $1 in
  version) [ -z "$DURANTIC_TOKEN" ] || exit 70; echo "durantic 1.2.3 (commit abc, Node 26, x64)" ;;
  enroll)
    [ "$DURANTIC_TOKEN" = "${token}" ] || exit 70
    case "$*" in *S3CR3T*) exit 70 ;; esac
    mkdir -p /var/lib/durantic /etc/durantic
    echo '${identity}' >/var/lib/durantic/identity.json
    echo "server: $3" >/etc/durantic/agent.yaml
    ;;
esac`;

/** What the tests of a file share: a server whose bundle each test writes, and an unpacked root that none changes. */
export interface Bench {
  readonly lower: string;
  readonly server: TestServer;
  readonly assetsDir: string;
}

export async function startBench(resources: Resources): Promise<Bench> {
  const assetsDir = resources.tempDir();
  const server = await startTestServer(resources, { settings: { assetsDir } });
  return { lower: await unpackMachineRoot(resources), server, assetsDir };
}

export interface Machine {
  readonly resources: Resources;
  readonly root: MachineRoot;
  /** Fetches install.sh now; what was changed of it is for a test to say. */
  script(): Promise<string>;
  /** Pipes a script into bash as the install line does. */
  install(script: string, options?: RunOptions & { prefix?: string }): Promise<Outcome>;
  /** The same for what must be refused: nothing is left, and the token is not shown. Gives what was said. */
  refused(script: string, options?: RunOptions & { prefix?: string }): Promise<string>;
}

/**
 * A machine whose systemd does not run (a chroot) on this host's network, and a program that is a script: what install.sh
 * itself does when something is wrong. It must leave the system as it was.
 */
export async function chrootMachine(resources: Resources, bench: Bench, program = goodProgram): Promise<Machine> {
  await writeFakeBundle(resources, bench.assetsDir, { program });
  const root = await MachineRoot.mount(resources, bench.lower);
  const install: Machine['install'] = async (script, { prefix = '', ...options } = {}) =>
    await root.run(`${prefix} bash -`, {
      ...options,
      input: script,
      env: { DURANTIC_TOKEN: token, DURANTIC_NO_START: '1', ...options.env },
    });
  return {
    resources,
    root,
    script: async () => await (await bench.server.fetch('/install.sh')).text(),
    install,
    refused: async (script, options) => {
      const previous = await root.snapshot();
      const { exitCode, stdout, stderr } = await install(script, options);
      assert.notEqual(exitCode, 0, stdout);
      assert.doesNotMatch(stdout + stderr, /S3CR3T/);
      assert.doesNotMatch(stdout, /installed|enrolled/);
      assert.deepEqual(await root.snapshot(), previous);
      return stderr;
    },
  };
}
