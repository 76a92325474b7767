/** ELF header facts (System V ABI, gABI chapters 4 and 5) that decide whether a program can run somewhere. */
export interface ElfFacts {
  /** e_machine: 62 = x86-64, 183 = AArch64, 3 = i386, 243 = RISC-V. */
  readonly machine: number;
  readonly bits: 32 | 64;
  /** Path of the dynamic loader (PT_INTERP); null for a static program or a library. */
  readonly interpreter: string | null;
}

export const elfMachineX64 = 62;

const machineNames: Readonly<Record<number, string>> = {
  3: 'i386',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86-64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};

const programHeaderInterpreter = 3;

/** Facts from the first bytes of a file (64 KiB are plenty), or null when it is no ELF object. */
export function parseElf(bytes: Buffer): ElfFacts | null {
  if (bytes.byteLength < 64 || bytes.toString('latin1', 0, 4) !== '\x7fELF') return null;
  const isLittle = bytes[5] === 1;
  const bits = bytes[4] === 2 ? 64 : 32;
  const machine = isLittle ? bytes.readUInt16LE(18) : bytes.readUInt16BE(18);
  const interpreter = bits === 64 && isLittle ? interpreterOf(bytes) : null;
  return { machine, bits, interpreter };
}

export function elfMachineName(machine: number): string {
  return machineNames[machine] ?? `machine ${machine}`;
}

function interpreterOf(bytes: Buffer): string | null {
  const tableAt = Number(bytes.readBigUInt64LE(32));
  const entryBytes = bytes.readUInt16LE(54);
  const entryCount = bytes.readUInt16LE(56);
  for (let index = 0; index < entryCount; index += 1) {
    const at = tableAt + index * entryBytes;
    if (at + 56 > bytes.byteLength) return null;
    if (bytes.readUInt32LE(at) !== programHeaderInterpreter) continue;
    const start = Number(bytes.readBigUInt64LE(at + 8));
    const end = start + Number(bytes.readBigUInt64LE(at + 32));
    return end > bytes.byteLength ? null : bytes.toString('latin1', start, end).replace(/\0.*$/s, '');
  }
  return null;
}
