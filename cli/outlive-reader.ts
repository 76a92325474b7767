import { errnoOf } from '../core/base/errors.ts';

/** What a shell reports of a program that SIGPIPE ended: 128 + 13. */
const endedBySigpipe = 141;

/**
 * `durantic … | head`: when whoever reads the output is gone, a command that only prints ends as other programs do (Node
 * ignores SIGPIPE and would end with a stack trace). Work on a disk or a daemon goes on without a reader.
 */
export function outliveReader(argv: readonly string[]): void {
  const [command, subcommand] = argv;
  const goesOn =
    ['provision', 'wipe', 'agent', 'installer', 'image'].includes(command ?? '') ||
    (command === 'server' && subcommand === 'run');
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (errnoOf(error) !== 'EPIPE') throw error;
      if (!goesOn) process.exit(endedBySigpipe);
    });
  }
}
