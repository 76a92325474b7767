/** `installer/durantic-agent.service`, for the program that carries no files beside itself; a test compares the two. */
export const agentUnit = `[Unit]
Description=Durantic agent
After=network.target local-fs.target
# A machine in the field is reached through this service only: it is never given up.
StartLimitIntervalSec=0

[Service]
# Ready as soon as it runs, whether or not a server can be reached. It reports twice in each WatchdogSec; one that hangs
# is killed and started again, without a core file: its memory holds the machine's key.
Type=notify
NotifyAccess=main
WatchdogSec=120
LimitCORE=0
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
