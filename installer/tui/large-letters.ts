/** Dots of the letters of an approval code (protocol/enrolment.ts), 5 wide and 7 high; the hyphen is 2 wide. */
const letters: Readonly<Record<string, readonly string[]>> = {
  '3': ['####.', '....#', '....#', '.###.', '....#', '....#', '####.'],
  '4': ['#..#.', '#..#.', '#..#.', '#####', '...#.', '...#.', '...#.'],
  '6': ['.###.', '#....', '#....', '####.', '#...#', '#...#', '.###.'],
  '7': ['#####', '....#', '...#.', '..#..', '..#..', '..#..', '..#..'],
  '9': ['.###.', '#...#', '#...#', '.####', '....#', '....#', '.###.'],
  A: ['.###.', '#...#', '#...#', '#####', '#...#', '#...#', '#...#'],
  C: ['.####', '#....', '#....', '#....', '#....', '#....', '.####'],
  D: ['####.', '#...#', '#...#', '#...#', '#...#', '#...#', '####.'],
  E: ['#####', '#....', '#....', '####.', '#....', '#....', '#####'],
  F: ['#####', '#....', '#....', '####.', '#....', '#....', '#....'],
  G: ['.####', '#....', '#....', '#..##', '#...#', '#...#', '.####'],
  H: ['#...#', '#...#', '#...#', '#####', '#...#', '#...#', '#...#'],
  J: ['..###', '....#', '....#', '....#', '....#', '#...#', '.###.'],
  K: ['#...#', '#..#.', '#.#..', '##...', '#.#..', '#..#.', '#...#'],
  M: ['#...#', '##.##', '#.#.#', '#.#.#', '#...#', '#...#', '#...#'],
  N: ['#...#', '##..#', '#.#.#', '#..##', '#...#', '#...#', '#...#'],
  P: ['####.', '#...#', '#...#', '####.', '#....', '#....', '#....'],
  Q: ['.###.', '#...#', '#...#', '#...#', '#.#.#', '#..#.', '.##.#'],
  R: ['####.', '#...#', '#...#', '####.', '#.#..', '#..#.', '#...#'],
  T: ['#####', '..#..', '..#..', '..#..', '..#..', '..#..', '..#..'],
  W: ['#...#', '#...#', '#...#', '#.#.#', '#.#.#', '##.##', '#...#'],
  X: ['#...#', '#...#', '.#.#.', '..#..', '.#.#.', '#...#', '#...#'],
  Y: ['#...#', '#...#', '.#.#.', '..#..', '..#..', '..#..', '..#..'],
  '-': ['..', '..', '..', '##', '..', '..', '..'],
};

const heightDots = 7;

/** Columns and rows of one dot, the largest first. A character is twice as high as it is wide. */
const dotSizes = [
  { columns: 4, rows: 2 },
  { columns: 3, rows: 2 },
  { columns: 2, rows: 1 },
  { columns: 1, rows: 1 },
] as const;

/** True for a text that can be written large. */
export function hasLargeLetters(text: string): boolean {
  return text !== '' && [...text].every((letter) => Object.hasOwn(letters, letter));
}

/**
 * The text in lines of `#` and blanks, as large as the room allows: `XXX-XXX` takes 76 columns and 7 rows on 80x24.
 * @returns Null for a letter that has no form, or where there is no room.
 */
export function largeLetters(
  text: string,
  room: { readonly columns: number; readonly rows: number },
): readonly string[] | null {
  if (!hasLargeLetters(text)) return null;
  for (const size of dotSizes) {
    const lines = Array.from({ length: heightDots }, (_, row) => {
      const line = [...text].map((letter) => widened(letters[letter]?.[row] ?? '', size.columns));
      return Array.from({ length: size.rows }, () => line.join(' '.repeat(size.columns)));
    }).flat();
    if ((lines[0]?.length ?? 0) <= room.columns && lines.length <= room.rows) return lines;
  }
  return null;
}

function widened(dots: string, width: number): string {
  return [...dots].map((dot) => (dot === '#' ? '#' : ' ').repeat(width)).join('');
}
