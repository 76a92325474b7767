/** What the installer needs to run. The only place that says so; docs/hardware.md and the VM tests read it here. */
export const minimumMemory = {
  /** What a machine must have, as its owner counts: MiB of RAM. */
  ramMib: 512,
  /** What the kernel must have left of it (MemTotal), MiB; a 512 MiB machine has about 430. */
  usableMib: 400,
} as const;
