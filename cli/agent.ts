import { Command } from 'commander';
import { ServiceManager } from '../agent/installed/service-manager.ts';
import { runInstalledAgent } from '../agent/run-installed-agent.ts';
import { createLogger } from '../core/base/logger.ts';

/** `durantic agent`: the daemon on an installed machine, started by durantic-agent.service. */
export function agentCommand(): Command {
  return new Command('agent')
    .description('run the agent of an installed machine')
    .option('--config <FILE>', 'configuration', '/etc/durantic/agent.yaml')
    .option('--state-dir <DIR>', 'identity and state', '/var/lib/durantic')
    .option('--run-dir <DIR>', 'lock', '/run/durantic')
    .allowExcessArguments(false)
    .action(async (flags: { config: string; stateDir: string; runDir: string }) => {
      const controller = new AbortController();
      const stop = (): void => controller.abort();
      process.once('SIGTERM', stop);
      process.once('SIGINT', stop);
      const log = createLogger('info');
      using serviceManager = new ServiceManager({ env: process.env, onProblem: (message) => log.warn(message) });
      await runInstalledAgent({
        configFile: flags.config,
        stateDir: flags.stateDir,
        runDir: flags.runDir,
        log,
        setLogLevel: (level) => {
          log.level = level;
        },
        serviceManager,
        signal: controller.signal,
      });
    });
}
