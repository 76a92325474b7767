import { type ErrorCode, type ErrorKind, errorCodes } from '../../core/base/error-codes.ts';

const buildAgain = 'Build and push the image again, then provision this machine again.';
const lookAtDisk =
  'Look into the kernel log (dmesg) for the disk, replace the disk or its cable, then provision again.';
const otherDisk = 'Name another disk, or correct this one, then provision again.';
const registryLater = 'Check that the registry runs and that this network reaches it, then provision again.';
const newToken = 'Approve the machine by the code on this screen, or boot it with a new token';
const pin = 'durantic.pin=sha256:... (the server prints it when it starts)';
const bug = 'This is a defect of durantic: please report it with this text.';

/**
 * What a person at a machine in the installer can do about each error: of enrolment, of the network and of an
 * installation. docs/errors.md says it for those who run durantic from a shell.
 */
const advice: Partial<Readonly<Record<ErrorCode, string>>> = {
  token_refused: `${newToken} of this server; the old one is tried again from time to time.`,
  token_expired: `${newToken}; the old one is tried again from time to time.`,
  approval_denied: 'An operator can still approve it: a new code is shown after a pause.',
  server_unreachable: 'Check that the durantic server runs at this address and that no firewall is in between.',
  server_error: 'Look into the log of the durantic server.',
  server_rate_limited: 'Nothing needs to be done: the server has too much to do, and is asked again.',
  server_answer_invalid: 'Check that the address is that of a durantic server, and not of a proxy or a login page.',
  server_pin_mismatch: `Compare the pin with the one that the server printed; boot with the right ${pin}.`,
  server_untrusted: `Boot with ${pin}, or type the address, a space and the pin here.`,
  clock_wrong: `Set the clock in the firmware's setup, or boot with ${pin}: then the installer sets the clock itself.`,
  machine_unknown: 'Nothing needs to be done: the machine enrols again with the same key.',
  agent_refused:
    'Check that the address is one of the --public-url of the server; otherwise another machine has this machine\'s place, which "durantic server adopt" settles.',
  agent_replaced: 'Check whether a second machine was started from a copy of this disk.',
  protocol_unsupported: "Boot the machine with the installer of this server's version.",
  link_lost: 'Check the server and the network; the connection is made again by itself.',
  usage: 'Correct the parameters of the provision at the server, then provision again.',
  reference_invalid: 'Correct the name of the image at the server, then provision again.',
  image_not_found: 'Check the name and tag of the image, or push it, then provision again.',
  platform_not_found: "Push the image for this machine's platform (linux/amd64), then provision again.",
  manifest_unsupported: 'Push the image again with a current tool, then provision again.',
  image_not_provisionable: 'Build the image with "durantic image build", then provision again.',
  codec_unsupported: 'Compress the layers with zstd or gzip, push the image, then provision again.',
  root_partition_ambiguous: buildAgain,
  root_partition_missing: buildAgain,
  root_filesystem_unsupported: 'Build the image with an ext4 root filesystem, then provision again.',
  sector_size_mismatch: 'Choose a disk or an image of the other sector size, then provision again.',
  disk_too_small: 'Choose a larger disk, then provision again.',
  firmware_mismatch: 'Change the boot mode (UEFI or BIOS) in the firmware setup, or use an image made for this one.',
  document_invalid: 'Correct the document that the message names at the server, then provision again.',
  registry_auth: 'Correct the credentials of the registry at the server, then provision again.',
  target_not_found: 'Compare the disks of this machine with the target that was asked for, then provision again.',
  target_ambiguous: 'Name the target disk so that only one fits (serial number or WWN), then provision again.',
  confirmation_required: 'Name the target disk, so that it is clear that it may be erased, then provision again.',
  not_implemented: 'This version of durantic cannot do it: use another image or a newer installer.',
  api_token_refused: 'Check the address of the server: it did not take this installer for one.',
  object_not_found: 'Boot again with a new token, or without one to be shown an approval code.',
  object_ambiguous: 'Use the full identifier at the server, then try again.',
  request_conflict: 'Look at this machine at the server: something else happened to it at the same time.',
  request_invalid: 'Use an installer of the same version as the server.',
  already_enrolled: 'Look at this machine at the server; delete it there if it is to be enrolled anew.',
  tool_missing: 'This installer is incomplete: use an installer image that was built whole.',
  tool_failed: 'Read the words of the program in the message; a shell (durantic.shell) lets you run it by hand.',
  permission: bug,
  disk_busy: 'Unmount or stop what the message names, or choose another disk, then provision again.',
  disk_not_eligible: otherDisk,
  disk_shared_filesystem:
    'Make sure that no other machine uses this disk, clear it with its own tools, then provision again.',
  disk_changed: 'The disks changed while it went on: check the cables, then provision again.',
  kernel_feature_missing: 'This kernel lacks what the message names: use another image or another installer.',
  memory_insufficient: 'Give the machine the memory that the message names, or use an image with smaller windows.',
  bundle_missing: 'This installer is incomplete: use an installer image that was built whole.',
  injection_impossible: 'Provision without the agent, or use another base system.',
  already_running: 'Another installer or agent runs here: end it, or restart the machine.',
  tls_untrusted: "Give the registry's CA at the server, and check this machine's clock.",
  command_not_done: 'Read the message; give the command again when the machine is ready for it.',
  asset_folder_unusable: 'Restart the machine: its memory file system is full or read-only.',
  registry_unreachable: registryLater,
  registry_error: registryLater,
  registry_rate_limited: 'Wait some minutes, or use a mirror on your network, then provision again.',
  download_interrupted: 'Check the network between this machine and the registry, then provision again.',
  digest_mismatch: buildAgain,
  size_mismatch: buildAgain,
  diff_id_mismatch: buildAgain,
  manifest_invalid: buildAgain,
  stream_truncated: buildAgain,
  stream_corrupt: buildAgain,
  stream_trailing_data: buildAgain,
  gpt_invalid: buildAgain,
  layer_entry_invalid: buildAgain,
  filesystem_unfixable: buildAgain,
  boot_path_invalid: 'The image has no kernel or boot loader where they are looked for: build it again with both.',
  read_back_mismatch: lookAtDisk,
  asset_damaged: 'The installer image is damaged: get it again and compare its SHA-256.',
  iso_block_invalid: 'The installer ISO is damaged: get it again from the server.',
  device_io: lookAtDisk,
  device_full: 'Choose a larger disk, then provision again.',
  device_short_write: lookAtDisk,
  device_vanished: 'Check the disk, its cable and its power, then provision again.',
  root_full: 'Choose a larger disk or a smaller image, then provision again.',
  aborted: 'Provision again when you are ready.',
  invariant: bug,
};

const adviceOfKind: Readonly<Record<ErrorKind, string>> = {
  input: 'Correct at the server what the message names, then provision again.',
  environment: 'Correct on this machine what the message names, then provision again.',
  transient: 'Check the network. It is tried again by itself.',
  integrity: buildAgain,
  device: lookAtDisk,
  aborted: 'Provision again when you are ready.',
  bug,
};

/** What to do about the error, one or two sentences in ASCII. A code that nobody knows here counts as a defect. */
export function adviceFor(code: string): string {
  if (!isErrorCode(code)) return bug;
  return advice[code] ?? adviceOfKind[errorCodes[code]];
}

/** Codes with a sentence of their own; the others have that of their kind. */
export function hasOwnAdvice(code: string): boolean {
  return isErrorCode(code) && advice[code] !== undefined;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
