import type { GrubDisk } from './grub-disk.ts';

/** GRUB's `test` (GRUB manual, "test"): strings, numbers, files; `-a`, `-o`, `!` and parentheses. */
export function evaluateGrubTest(args: readonly string[], disk: GrubDisk, root: string): boolean {
  const tokens = [...args];
  const parseOr = (): boolean => {
    let value = parseAnd();
    while (tokens[0] === '-o') {
      tokens.shift();
      value = parseAnd() || value;
    }
    return value;
  };
  const parseAnd = (): boolean => {
    let value = parseOne();
    // Two conditions without a word between them are joined by "and".
    while (tokens.length > 0 && tokens[0] !== '-o' && tokens[0] !== ')') {
      if (tokens[0] === '-a') tokens.shift();
      value = parseOne() && value;
    }
    return value;
  };
  const parseOne = (): boolean => {
    const first = tokens.shift();
    if (first === undefined) return false;
    if (first === '!') return !parseOne();
    if (first === '(') {
      const value = parseOr();
      if (tokens[0] === ')') tokens.shift();
      return value;
    }
    const compare = comparisons[tokens[0] ?? ''];
    if (compare !== undefined) {
      tokens.shift();
      return compare(first, tokens.shift() ?? '');
    }
    if (!/^-[defsnz]$/.test(first) || tokens.length === 0) return first !== '';
    return unary(first, tokens.shift() ?? '', { disk, root });
  };
  return parseOr();
}

const comparisons: Readonly<Record<string, (left: string, right: string) => boolean>> = {
  '=': (left, right) => left === right,
  '==': (left, right) => left === right,
  '!=': (left, right) => left !== right,
  '<': (left, right) => left < right,
  '>': (left, right) => left > right,
  '-eq': (left, right) => Number(left) === Number(right),
  '-ne': (left, right) => Number(left) !== Number(right),
  '-lt': (left, right) => Number(left) < Number(right),
  '-le': (left, right) => Number(left) <= Number(right),
  '-gt': (left, right) => Number(left) > Number(right),
  '-ge': (left, right) => Number(left) >= Number(right),
};

function unary(operator: string, value: string, where: { disk: GrubDisk; root: string }): boolean {
  const { disk, root } = where;
  switch (operator) {
    case '-n':
      return value !== '';
    case '-z':
      return value === '';
    case '-d':
      return disk.isDirectory(value, root);
    case '-s':
      return disk.sizeBytes(value, root) > 0;
    case '-f':
      return disk.find(value, root) !== null;
    default:
      return disk.find(value, root) !== null || disk.isDirectory(value, root);
  }
}
