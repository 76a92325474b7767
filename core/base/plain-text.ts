// Control characters but newline and tab, and those that turn the writing direction round.
const unsafe = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * The text with everything that a terminal would obey written out (`\x1b` as four characters): what a machine, a
 * registry or a person elsewhere has chosen must not move the cursor, change the title or hide itself.
 */
export function plainText(text: string): string {
  return text.replaceAll(unsafe, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** `plainText` on one line: line ends and tabs become a space. */
export function plainLine(text: string): string {
  return plainText(text.replaceAll(/\s*[\r\n\t]+\s*/g, ' '));
}
