/** A word as a POSIX shell reads it back. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command line, an option and its value on each line. */
export function shellCommand(program: string, args: readonly string[]): string {
  const lines: string[] = [program];
  for (const [index, argument] of args.entries()) {
    const isValue = index > 0 && !argument.startsWith('-') && args[index - 1]?.startsWith('-') === true;
    if (isValue) lines[lines.length - 1] += ` ${shellWord(argument)}`;
    else lines.push(shellWord(argument));
  }
  return lines.join(' \\\n  ');
}
