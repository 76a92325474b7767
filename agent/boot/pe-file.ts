export interface PeSection {
  readonly name: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface PeFile {
  /** IMAGE_FILE_MACHINE_*: 0x8664 = x86-64, 0xaa64 = ARM64. */
  readonly machine: number;
  /** IMAGE_SUBSYSTEM_*: 10 = EFI application. */
  readonly subsystem: number;
  readonly sections: readonly PeSection[];
}

export const peMachineX64 = 0x8664;
export const peSubsystemEfiApplication = 10;

/** As many bytes from the start as the headers of any loader take. */
export const peHeaderBytes = 4096;

/** The headers of a PE/COFF image (Microsoft "PE Format"; what UEFI loads), or null when the bytes are none. */
export function parsePeFile(bytes: Buffer): PeFile | null {
  if (bytes.byteLength < 0x40 || bytes.toString('latin1', 0, 2) !== 'MZ') return null;
  const header = bytes.readUInt32LE(0x3c);
  if (header + 24 + 70 > bytes.byteLength || bytes.toString('latin1', header, header + 4) !== 'PE\0\0') return null;
  const sectionCount = bytes.readUInt16LE(header + 6);
  const optionalBytes = bytes.readUInt16LE(header + 20);
  const sections: PeSection[] = [];
  for (let index = 0; index < sectionCount; index += 1) {
    const at = header + 24 + optionalBytes + index * 40;
    if (at + 40 > bytes.byteLength) break;
    sections.push({
      name: bytes.toString('latin1', at, at + 8).replace(/\0+$/, ''),
      // The smaller of both sizes: the raw size is padded, the virtual one may be larger than the file.
      sizeBytes: Math.min(bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 16)),
      offsetBytes: bytes.readUInt32LE(at + 20),
    });
  }
  return { machine: bytes.readUInt16LE(header + 4), subsystem: bytes.readUInt16LE(header + 24 + 68), sections };
}
