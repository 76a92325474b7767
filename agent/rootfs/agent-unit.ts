/** `installer/durantic-agent.service`, for the program that carries no files beside itself; a test compares the two. */
export const agentUnit = `[Unit]
Description=Durantic agent
After=network.target local-fs.target
# A machine in the field is reached through this service only: it is never given up.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=/usr/local/bin/durantic agent
Restart=on-failure
RestartSec=5
# The agent ends within a second of SIGTERM; an installation that it runs is aborted first.
TimeoutStopSec=15
KillMode=mixed
RuntimeDirectory=durantic
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=restart
StateDirectory=durantic
StateDirectoryMode=0700
UMask=0077
OOMScoreAdjust=-500

# Only what the job can do without. The agent partitions and mounts disks, writes files with set-uid bits, loads
# kernels and reboots: no Protect*, no RestrictSUIDSGID. V8 makes code at run time: no MemoryDenyWriteExecute.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
KeyringMode=private

[Install]
WantedBy=multi-user.target
`;
