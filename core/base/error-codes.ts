/**
 * What an error means for whoever called: decides retry and exit code (docs/errors.md).
 */
export type ErrorKind = 'input' | 'environment' | 'transient' | 'integrity' | 'device' | 'aborted' | 'bug';

/** Process exit code of each kind; 0 is success. */
export const exitCodeOfKind: Readonly<Record<ErrorKind, number>> = {
  input: 2,
  environment: 3,
  transient: 4,
  integrity: 5,
  device: 6,
  aborted: 7,
  bug: 70,
};

/**
 * Every error code and its kind. The code names the event and is a stable interface; each has a row in
 * docs/errors.md, and a test compares the two.
 */
export const errorCodes = {
  // input
  usage: 'input',
  reference_invalid: 'input',
  image_not_found: 'input',
  platform_not_found: 'input',
  manifest_unsupported: 'input',
  image_not_provisionable: 'input',
  codec_unsupported: 'input',
  root_partition_ambiguous: 'input',
  root_partition_missing: 'input',
  root_filesystem_unsupported: 'input',
  sector_size_mismatch: 'input',
  disk_too_small: 'input',
  firmware_mismatch: 'input',
  document_invalid: 'input',
  registry_auth: 'input',
  target_not_found: 'input',
  target_ambiguous: 'input',
  confirmation_required: 'input',
  image_build_failed: 'input',
  not_implemented: 'input',
  api_token_refused: 'input',
  server_answer_invalid: 'input',
  object_not_found: 'input',
  object_ambiguous: 'input',
  request_conflict: 'input',
  request_invalid: 'input',
  token_refused: 'input',
  token_expired: 'input',
  approval_denied: 'input',
  already_enrolled: 'input',
  // environment
  tool_missing: 'environment',
  tool_failed: 'environment',
  permission: 'environment',
  disk_busy: 'environment',
  disk_not_eligible: 'environment',
  disk_shared_filesystem: 'environment',
  disk_changed: 'environment',
  kernel_feature_missing: 'environment',
  memory_insufficient: 'environment',
  bundle_missing: 'environment',
  injection_impossible: 'environment',
  already_running: 'environment',
  data_dir_unusable: 'environment',
  data_dir_in_use: 'environment',
  server_key_missing: 'environment',
  server_key_invalid: 'environment',
  certificate_unusable: 'environment',
  listen_failed: 'environment',
  backup_failed: 'environment',
  database_unusable: 'environment',
  sealed_value_unreadable: 'environment',
  tls_untrusted: 'environment',
  server_untrusted: 'environment',
  run_not_completed: 'environment',
  command_not_done: 'environment',
  asset_folder_unusable: 'environment',
  clock_wrong: 'environment',
  machine_unknown: 'environment',
  agent_refused: 'environment',
  agent_replaced: 'environment',
  protocol_unsupported: 'environment',
  // transient
  registry_unreachable: 'transient',
  registry_error: 'transient',
  registry_rate_limited: 'transient',
  download_interrupted: 'transient',
  server_unreachable: 'transient',
  server_error: 'transient',
  server_rate_limited: 'transient',
  link_lost: 'transient',
  // integrity
  digest_mismatch: 'integrity',
  size_mismatch: 'integrity',
  diff_id_mismatch: 'integrity',
  manifest_invalid: 'integrity',
  stream_truncated: 'integrity',
  stream_corrupt: 'integrity',
  stream_trailing_data: 'integrity',
  gpt_invalid: 'integrity',
  layer_entry_invalid: 'integrity',
  filesystem_unfixable: 'integrity',
  boot_path_invalid: 'integrity',
  read_back_mismatch: 'integrity',
  backup_invalid: 'integrity',
  asset_damaged: 'integrity',
  iso_block_invalid: 'integrity',
  server_pin_mismatch: 'integrity',
  // device
  device_io: 'device',
  device_full: 'device',
  device_short_write: 'device',
  device_vanished: 'device',
  root_full: 'device',
  // aborted
  aborted: 'aborted',
  // bug
  invariant: 'bug',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorCodes;
