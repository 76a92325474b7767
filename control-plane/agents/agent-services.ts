import type { ServerContext } from '../context.ts';
import type { AgentFrameListener, ProvisionArgsBuilder } from '../services.ts';
import type { AgentConnection } from './agent-connection.ts';
import type { AgentLimits, AgentTiming } from './agent-limits.ts';
import type { StoredCommandQueue } from './command-queue.ts';
import type { GroupCommit } from './group-commit.ts';
import type { HeldCommands } from './held-commands.ts';
import type { LastSeen } from './last-seen.ts';

/** What the rest of the server gives to the sockets; both are read at each use. */
export interface AgentSource {
  readonly listeners: readonly AgentFrameListener[];
  readonly buildProvisionArgs: ProvisionArgsBuilder;
}

/** What every connection works with. */
export interface AgentServices {
  readonly context: ServerContext;
  readonly source: AgentSource;
  readonly commits: GroupCommit;
  readonly lastSeen: LastSeen;
  readonly queue: StoredCommandQueue;
  readonly held: HeldCommands;
  readonly timing: AgentTiming;
  readonly limits: AgentLimits;
  /** The connection's hello is stored: it is the machine's socket from now on, an older one is closed. */
  readonly onLive: (connection: AgentConnection) => void;
  /** The socket is closed, whether it was live or not. */
  readonly onClosed: (connection: AgentConnection) => void;
}
