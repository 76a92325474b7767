import { ApiError } from '../http/api-error.ts';

/**
 * Boots the machine's own disk. BIOS: the first disk (`exit` halts many of them), else the next boot device. UEFI: the
 * next boot option, for which the firmware must be told of a failure (UEFI 2.10, section 3.1.2: EFI_SUCCESS ends in its
 * menu). Nothing comes after either.
 */
const localBoot = `iseq \${platform} efi && goto firmware ||
sanboot --no-describe --drive 0x80 ||
:firmware
exit 1
`;

/** Interfaces whose addresses are sent: the one that was booted from, and the first eight of the machine. */
const interfaces = ['netX', ...Array.from({ length: 8 }, (_, index) => `net${index}`)];

/** Without a MAC address or token: asks again with every MAC address of the machine. */
export function chainScript(origin: string): string {
  const query = interfaces.map((name) => `mac=\${${name}/mac:hexhyp}`).join('&');
  return `#!ipxe
echo durantic: asking ${origin} what to boot
chain --replace --autofree ${origin}/boot/ipxe?${query} ||
echo durantic: no answer (see the error above), so the machine boots from its own disk
${localBoot}`;
}

/** For a machine that is not to be installed, or that nobody knows. */
export function localBootScript(): string {
  return `#!ipxe
echo durantic: nothing to install, so the machine boots from its own disk
${localBoot}`;
}

/**
 * For an address that has asked about too many machines. No 429: iPXE would show an "Input/output error" and do what its
 * caller has for that, and on 503 with Retry-After it would keep machines waiting that have nothing to install.
 */
export function limitedScript(waitSeconds: number): string {
  return `#!ipxe
echo durantic: too many MAC addresses were asked about from here, so the machine boots from its own disk
echo durantic: if it is to be installed, start it again in ${waitSeconds} seconds
${localBoot}`;
}

/**
 * Starts the installer. If that fails, the error stays on the screen for a while before the machine goes on.
 * @param words Kernel parameters, of `formatKernelParameters`.
 * @throws ApiError 422 for a parameter that an iPXE script cannot express.
 */
export function installerScript(origin: string, words: readonly string[]): string {
  for (const word of words) assertExpressible(word);
  return `#!ipxe
echo durantic: starting the installer from ${origin}
kernel ${origin}/boot/vmlinuz ${words.join(' ')} BOOTIF=01-\${netX/mac:hexhyp} || goto failed
boot || goto failed
:failed
echo durantic: the installer could not be started (see the error above). In 30 seconds the machine boots from its disk
sleep 30
${localBoot}`;
}

/** iPXE expands \`\${…}\`, joins what was separated by several spaces, and knows four words that end a command. */
function assertExpressible(word: string): void {
  const isCommandEnd = word.split(' ').some((part) => ['', '#', ';', '&&', '||'].includes(part));
  if (word.includes('${') || isCommandEnd) {
    throw new ApiError(422, `${word.split('=', 1)[0]} has characters that an iPXE script cannot express`);
  }
}
