import { z } from 'zod';

/** From the installer into the installed system. */
export const bootWays = ['auto', 'kexec', 'reboot'] as const;

const documentText = z
  .string()
  .max(512 * 1024)
  .nullable();
const kexecChoice = z.object({ kexec: z.enum(['auto', 'never']) });

/**
 * Arguments of `ProvisionMachine` as they reach the agent: every field is present, null is allowed. Secrets (user data,
 * credentials) are in here only, never in the stored command.
 */
export const provisionArgsSchema = z.object({
  provision_uuid: z.uuid(),
  /** `reference` begins with `http://` where plain HTTP was asked for by name, and has no scheme otherwise. */
  image: z.object({ reference: z.string(), digest: z.string(), platform: z.string() }),
  credentials: z.array(z.object({ registry: z.string(), username: z.string(), password: z.string() })).nullable(),
  /** PEM. */
  registry_ca: z.string().nullable(),
  proxy: z.string().nullable(),
  target_disk: z.string().nullable(),
  user_data: documentText,
  meta_data: documentText,
  vendor_data: documentText,
  network_config: documentText,
  hostname: z.string().nullable(),
  append_karg: z.array(z.string()),
  inject_agent: z.boolean(),
  /** Text of the installed system's agent.yaml. */
  agent_config: documentText,
  /** How the installer is entered from an installed system. */
  kexec_installer: z.boolean(),
  /** How the installed system is entered. */
  boot: z.enum(bootWays),
  read_back: z.boolean(),
});

/** Command kind → its arguments. One table: parser, union and handlers derive from it. */
export const commandArgs = {
  ProvisionMachine: provisionArgsSchema,
  CancelProvision: z.object({ provision_uuid: z.uuid() }),
  BootInstalledSystem: kexecChoice,
  EnterInstaller: kexecChoice,
  Reboot: z.object({}),
  PowerOff: z.object({}),
  UpdateAgent: z.object({ version: z.string(), url: z.url(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  CollectLogs: z.object({
    /** Lines since this time; null: all that are kept. */
    since: z.iso.datetime().nullable(),
  }),
} as const;

export type CommandKind = keyof typeof commandArgs;
export type CommandArgs<K extends CommandKind> = z.infer<(typeof commandArgs)[K]>;
export type ProvisionArgs = z.infer<typeof provisionArgsSchema>;

export const commandKinds = Object.keys(commandArgs) as readonly CommandKind[];

export function isCommandKind(kind: string): kind is CommandKind {
  return Object.hasOwn(commandArgs, kind);
}
