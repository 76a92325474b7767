import { readFileSync } from 'node:fs';

const cell = { columns: 8, rows: 16 } as const;
/** The letter A of the VGA's font of 8×16 dots, by which the font is found in a ROM. */
const letterA = Buffer.from('000010386cc6c6fec6c6c6c600000000', 'hex');
const romFile = '/usr/share/seabios/vgabios-stdvga.bin';

/**
 * The text that a Linux console draws on a framebuffer, a line for each row, without empty ones. Its font is the VGA's
 * (lib/fonts/font_8x16.c of the kernel), of which QEMU's VGA ROM has a relative: a few characters are drawn otherwise there
 * (0 f m v w F M N T W) and become `?`, like what is no printable ASCII.
 * @param picture PPM (P6), as `screendump` writes it.
 */
export function framebufferText(picture: Buffer, rom: Buffer = readFileSync(romFile)): string {
  const { width, height, pixels } = parsePpm(picture);
  const glyphs = glyphsOf(rom);
  const rows: string[] = [];
  for (let y = 0; y + cell.rows <= height; y += cell.rows) {
    let row = '';
    for (let x = 0; x + cell.columns <= width; x += cell.columns) {
      row += glyphs.get(bitsOf(pixels, { x, y, width })) ?? '?';
    }
    rows.push(row.trimEnd());
  }
  return rows.filter((row) => row !== '').join('\n');
}

export function parsePpm(picture: Buffer): { width: number; height: number; pixels: Buffer } {
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(picture.subarray(0, 64).toString('latin1'));
  if (header === null) throw new Error('the screenshot is no PPM');
  return { width: Number(header[1]), height: Number(header[2]), pixels: picture.subarray(header[0].length) };
}

/** Bitmap → character. A cell may be drawn either way round: dark on light too. */
function glyphsOf(rom: Buffer): Map<string, string> {
  const at = rom.indexOf(letterA);
  if (at < 0x41 * cell.rows) throw new Error(`${romFile} has no font of 8×16 dots`);
  const start = at - 0x41 * cell.rows;
  const glyphs = new Map<string, string>();
  for (let code = 0x7e; code >= 0x20; code -= 1) {
    const bitmap = rom.subarray(start + code * cell.rows, start + (code + 1) * cell.rows);
    glyphs.set(Buffer.from(bitmap.map((byte) => ~byte & 0xff)).toString('hex'), String.fromCharCode(code));
    glyphs.set(bitmap.toString('hex'), String.fromCharCode(code));
  }
  return glyphs;
}

/** The dots of a cell that differ from its first one, which no glyph of the font draws. */
function bitsOf(pixels: Buffer, { x, y, width }: { x: number; y: number; width: number }): string {
  const bitmap = Buffer.alloc(cell.rows);
  const colour = (row: number, column: number): number => pixels.readUIntBE(((y + row) * width + x + column) * 3, 3);
  const background = colour(0, 0);
  for (let row = 0; row < cell.rows; row += 1) {
    for (let column = 0; column < cell.columns; column += 1) {
      if (colour(row, column) !== background) bitmap[row] = (bitmap[row] ?? 0) | (0x80 >> column);
    }
  }
  return bitmap.toString('hex');
}
