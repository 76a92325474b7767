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

/** True for a text that can be written large. */
export function hasLargeLetters(text: string): boolean {
  return text !== '' && [...text].every((letter) => Object.hasOwn(letters, letter));
}

/**
 * The text in seven lines of `#` and blanks. A dot is two characters wide, since those are twice as high as wide: `XXX-XXX`
 * takes 76 columns; one character wide where there is less room.
 * @returns Null for a letter that has no form, or where there is no room.
 */
export function largeLetters(text: string, columns: number): readonly string[] | null {
  if (!hasLargeLetters(text)) return null;
  for (const width of [2, 1]) {
    const lines = Array.from({ length: heightDots }, (_, row) =>
      [...text].map((letter) => widened(letters[letter]?.[row] ?? '', width)).join(' '.repeat(width)),
    );
    if ((lines[0]?.length ?? 0) <= columns) return lines;
  }
  return null;
}

function widened(dots: string, width: number): string {
  return [...dots].map((dot) => (dot === '#' ? '#' : ' ').repeat(width)).join('');
}
