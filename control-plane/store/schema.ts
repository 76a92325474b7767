/**
 * The tables, one entry per released version of the schema; `migrate` applies what is missing in order. Times are
 * RFC 3339 text in UTC, UUIDs lower-case text, booleans 0 or 1, documents JSON text. Everything `sealed` is
 * AES-256-GCM under the server's secrets key (control-plane/store/sealer.ts).
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE accounts (
    uuid TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    default_image_uuid TEXT REFERENCES images(uuid) ON DELETE SET NULL,
    tokens_valid_from TEXT,
    created_at TEXT NOT NULL
  ) STRICT;

  CREATE TABLE api_tokens (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT NOT NULL REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT
  ) STRICT;

  CREATE TABLE registry_credentials (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT NOT NULL REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    registry_url TEXT NOT NULL,
    username TEXT NOT NULL,
    password_sealed BLOB NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_uuid, name)
  ) STRICT;

  CREATE TABLE images (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    docker_image_url TEXT NOT NULL,
    description TEXT,
    registry_credential_uuid TEXT REFERENCES registry_credentials(uuid) ON DELETE SET NULL,
    is_official INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_uuid, name)
  ) STRICT;

  CREATE TABLE roles (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    merge_priority INTEGER NOT NULL,
    template_data TEXT NOT NULL,
    description TEXT NOT NULL,
    image_uuid TEXT REFERENCES images(uuid) ON DELETE SET NULL,
    vip_uuid TEXT,
    requires_mesh INTEGER NOT NULL,
    is_official INTEGER NOT NULL DEFAULT 0,
    forked_from_uuid TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_uuid, name)
  ) STRICT;

  CREATE TABLE variables (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT NOT NULL REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_uuid, name)
  ) STRICT;

  CREATE TABLE secrets (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT NOT NULL REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value_sealed BLOB NOT NULL,
    description TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_uuid, name)
  ) STRICT;

  CREATE TABLE mesh_networks (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT NOT NULL REFERENCES accounts(uuid) ON DELETE CASCADE,
    name TEXT NOT NULL,
    network_cidr TEXT NOT NULL UNIQUE,
    is_default INTEGER NOT NULL,
    route_reflector_mode INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (account_uuid, name)
  ) STRICT;
  CREATE UNIQUE INDEX mesh_networks_default ON mesh_networks (account_uuid) WHERE is_default = 1;

  CREATE TABLE machines (
    uuid TEXT PRIMARY KEY,
    account_uuid TEXT NOT NULL REFERENCES accounts(uuid) ON DELETE CASCADE,
    hostname TEXT NOT NULL,
    -- Set by an operator: goes before what the machine calls itself.
    chosen_hostname TEXT,
    -- Ed25519 x of the JWK; null for a machine that is known by its MAC only and has not enrolled.
    public_key TEXT UNIQUE,
    -- When the machine got that key.
    key_since TEXT,
    facts TEXT NOT NULL,
    inventory TEXT,
    -- Copies of facts, for looking up; null where the firmware has only a placeholder. macs is a JSON array, sorted.
    system_uuid TEXT,
    board_serial TEXT,
    macs TEXT NOT NULL DEFAULT '[]',
    discovered_ip_addresses TEXT NOT NULL DEFAULT '[]',
    mesh_network_uuid TEXT REFERENCES mesh_networks(uuid) ON DELETE SET NULL,
    mesh_ip_address TEXT,
    tunnel_type TEXT NOT NULL DEFAULT 'auto',
    stun_enabled INTEGER NOT NULL DEFAULT 0,
    auto_update INTEGER NOT NULL DEFAULT 0,
    inject_agent INTEGER NOT NULL DEFAULT 1,
    kexec_installer INTEGER NOT NULL DEFAULT 0,
    target_disk TEXT,
    boot_timeout_seconds INTEGER NOT NULL DEFAULT 2700,
    needs_provisioning INTEGER NOT NULL DEFAULT 1,
    -- Counts the changes that need a run; a run clears needs_provisioning only when none came after it was queued.
    config_revision INTEGER NOT NULL DEFAULT 0,
    pending_config_push INTEGER NOT NULL DEFAULT 0,
    -- Set when the first run ended as completed or degraded, or an installed agent enrolled; never unset.
    was_installed INTEGER NOT NULL DEFAULT 0,
    installed_provision_uuid TEXT,
    -- UUIDs of machines that this one may be a second record of, JSON array.
    possible_duplicates TEXT NOT NULL DEFAULT '[]',
    -- The next network boot gets the installer until then.
    install_until TEXT,
    mode TEXT,
    boot_id TEXT,
    agent_version TEXT,
    last_seen_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (mesh_network_uuid, mesh_ip_address)
  ) STRICT;
  CREATE INDEX machines_by_system_uuid ON machines (system_uuid);
  CREATE INDEX machines_by_board_serial ON machines (board_serial);
  CREATE INDEX machines_by_macs ON machines (macs);

  -- Every machine of an address; follows machines.macs by itself.
  CREATE TABLE machine_macs (
    mac TEXT NOT NULL,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    PRIMARY KEY (mac, machine_uuid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX machine_macs_by_machine ON machine_macs (machine_uuid);
  CREATE TRIGGER machine_macs_of_new AFTER INSERT ON machines BEGIN
    INSERT OR IGNORE INTO machine_macs SELECT value, NEW.uuid FROM json_each(NEW.macs);
  END;
  CREATE TRIGGER machine_macs_of_changed AFTER UPDATE OF macs ON machines WHEN OLD.macs <> NEW.macs BEGIN
    DELETE FROM machine_macs WHERE machine_uuid = NEW.uuid;
    INSERT OR IGNORE INTO machine_macs SELECT value, NEW.uuid FROM json_each(NEW.macs);
  END;

  -- A machine that is gone is nobody's duplicate.
  CREATE TRIGGER machine_duplicates_of_deleted AFTER DELETE ON machines BEGIN
    UPDATE machines SET possible_duplicates =
      (SELECT json_group_array(value) FROM json_each(machines.possible_duplicates) WHERE value <> OLD.uuid)
    WHERE instr(possible_duplicates, OLD.uuid) > 0;
  END;

  CREATE TABLE machine_roles (
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    role_uuid TEXT NOT NULL REFERENCES roles(uuid) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    PRIMARY KEY (machine_uuid, role_uuid)
  ) STRICT, WITHOUT ROWID;

  -- What happened to a machine, for its operator: enrolled, re-keyed, marked as a duplicate, adopted.
  CREATE TABLE machine_events (
    id INTEGER PRIMARY KEY,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    facts TEXT NOT NULL
  ) STRICT;
  CREATE INDEX machine_events_by_machine ON machine_events (machine_uuid, id);

  CREATE TABLE approvals (
    -- SHA-256 of the approval_id that the machine holds.
    id_hash TEXT PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    code TEXT NOT NULL,
    public_key TEXT NOT NULL,
    facts TEXT NOT NULL,
    address TEXT NOT NULL,
    -- What requests are limited by: the IPv4 address, or the /64 of an IPv6 address.
    address_group TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied')),
    machine_uuid TEXT REFERENCES machines(uuid) ON DELETE SET NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX approvals_by_code ON approvals (code) WHERE status = 'pending';

  CREATE INDEX approvals_by_key ON approvals (public_key);

  -- Single-use tokens handed to a known MAC by its iPXE script.
  CREATE TABLE boot_tokens (
    jti TEXT PRIMARY KEY,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    expires_at TEXT NOT NULL,
    used_at TEXT
  ) STRICT;
  CREATE INDEX boot_tokens_by_machine ON boot_tokens (machine_uuid);

  CREATE TABLE provisions (
    uuid TEXT PRIMARY KEY,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'in_progress', 'completed', 'degraded', 'error', 'timeout',
      'canceled', 'render_failed')),
    current_step TEXT NOT NULL,
    current_message TEXT NOT NULL,
    progress_percent REAL NOT NULL,
    bytes_done INTEGER,
    bytes_total INTEGER,
    rate_bps REAL,
    error_code TEXT,
    error_message TEXT,
    disk_state TEXT,
    is_unconfirmed INTEGER NOT NULL DEFAULT 0,
    image_uuid TEXT,
    image_reference TEXT,
    image_digest TEXT,
    registry_credential_uuid TEXT,
    role_names TEXT NOT NULL DEFAULT '[]',
    user_data_sealed BLOB,
    -- The machine's settings when the run was queued: target_disk, inject_agent, kexec_installer, hostname.
    args TEXT NOT NULL DEFAULT '{}',
    config_revision INTEGER NOT NULL DEFAULT 0,
    -- How often the registry was asked for the digest in vain, and when to ask again.
    resolve_attempts INTEGER NOT NULL DEFAULT 0,
    resolve_after TEXT,
    command_uuid TEXT,
    -- Boots of the machine that have sent events of this run, oldest first, JSON array: one attempt each.
    boot_ids TEXT NOT NULL DEFAULT '[]',
    -- What cloud-init of the installed system reported, JSON {status, errors}.
    cloud_init TEXT,
    cancel_requested_at TEXT,
    last_event_at TEXT,
    -- When the machine left for the installed system.
    booting_at TEXT,
    -- When the installed system said hello with this uuid.
    hello_at TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT
  ) STRICT;
  CREATE INDEX provisions_by_machine ON provisions (machine_uuid, created_at);
  CREATE UNIQUE INDEX provisions_active ON provisions (machine_uuid) WHERE status IN ('queued', 'in_progress');

  -- The history of a run. What the server itself adds has an empty boot_id and counts from 1.
  CREATE TABLE provision_events (
    id INTEGER PRIMARY KEY,
    provision_uuid TEXT NOT NULL REFERENCES provisions(uuid) ON DELETE CASCADE,
    boot_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_at TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('provision_event', 'provision_result', 'cloud_init_result', 'server')),
    event TEXT NOT NULL,
    UNIQUE (provision_uuid, boot_id, seq)
  ) STRICT;

  CREATE TABLE commands (
    -- The order of giving.
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    -- Without secrets.
    args TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'sent', 'accepted', 'rejected', 'done', 'failed', 'canceled')),
    reason TEXT,
    -- Replies that came after the outcome.
    ignored_replies INTEGER NOT NULL DEFAULT 0,
    -- Grows from command to command of a machine, also when the server's clock was set back: agents refuse older ones.
    created_at TEXT NOT NULL,
    -- The first time.
    sent_at TEXT,
    finished_at TEXT
  ) STRICT;
  CREATE INDEX commands_by_machine ON commands (machine_uuid, id);

  -- Highest seq of a boot that is stored: what is at or below it is a repetition.
  CREATE TABLE agent_receipts (
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    boot_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (machine_uuid, boot_id)
  ) STRICT, WITHOUT ROWID;

  -- Frames that a part of the server could not apply, or whose fields are wrong: acknowledged and kept for a person.
  CREATE TABLE agent_dead_letters (
    id INTEGER PRIMARY KEY,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    boot_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_at TEXT NOT NULL,
    error TEXT NOT NULL,
    -- Beginning of the frame as JSON text.
    frame TEXT NOT NULL
  ) STRICT;
  CREATE INDEX agent_dead_letters_by_machine ON agent_dead_letters (machine_uuid, id);

  CREATE TABLE agent_logs (
    id INTEGER PRIMARY KEY,
    machine_uuid TEXT NOT NULL REFERENCES machines(uuid) ON DELETE CASCADE,
    command_uuid TEXT,
    received_at TEXT NOT NULL,
    -- JSON array.
    lines TEXT NOT NULL,
    line_count INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL
  ) STRICT;

  -- How much of a machine's lines is kept and how many of the oldest were dropped.
  CREATE TABLE agent_log_totals (
    machine_uuid TEXT PRIMARY KEY REFERENCES machines(uuid) ON DELETE CASCADE,
    stored_bytes INTEGER NOT NULL,
    dropped_lines INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX agent_logs_by_machine ON agent_logs (machine_uuid, id);
  `,
  // The public URL that the machine's newest hello was signed for; null before the first.
  'ALTER TABLE machines ADD COLUMN dialled_url TEXT',
  // The boot that has accepted the command, and the newest hello of a run's machine that was no end of it; both may be null.
  `ALTER TABLE commands ADD COLUMN accepted_boot_id TEXT;
   ALTER TABLE provisions ADD COLUMN last_hello_at TEXT`,
  `
  -- Set when an operator marks the machine himself: until then its network boot may give another key to its record, though
  -- the machine was installed. install_until alone, which a run sets too, does not say so.
  ALTER TABLE machines ADD COLUMN operator_mark_until TEXT;

  -- Whoever takes the mark back takes back all that it gave: no token outlives it.
  CREATE TRIGGER boot_tokens_of_unmarked AFTER UPDATE OF install_until ON machines WHEN NEW.install_until IS NULL BEGIN
    UPDATE machines SET operator_mark_until = NULL WHERE uuid = NEW.uuid;
    DELETE FROM boot_tokens WHERE machine_uuid = NEW.uuid;
  END;
  `,
  // One row, written only to find out whether the database can be.
  'CREATE TABLE write_checks (id INTEGER PRIMARY KEY CHECK (id = 1), written_at TEXT NOT NULL) STRICT',
];
