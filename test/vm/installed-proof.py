#!/usr/bin/python3
"""Says on the port durantic.proof what the booted system knows of itself. Run by a unit after cloud-init is done."""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

AGENT = "durantic-agent.service"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def properties(unit, *names):
    lines = run("systemctl", "show", unit, "-p", ",".join(names)).splitlines()
    return dict(line.split("=", 1) for line in lines)


def not_enrolled():
    return run("journalctl", "-b", "-u", AGENT, "-o", "cat").count("not enrolled")


def wait_for_agent(seconds):
    """Until the agent has spoken and has then run for 10 s, or the time is over: the facts tell which."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # 0 for a unit that never became active.
        since = int(properties(AGENT, "ActiveEnterTimestampMonotonic").get("ActiveEnterTimestampMonotonic") or 0)
        if since and time.monotonic() - since / 1e6 > 10 and not_enrolled():
            return
        time.sleep(0.5)


def facts():
    root = json.loads(run("findmnt", "-J", "-b", "-o", "SOURCE,FSTYPE,SIZE,UUID,PARTUUID,OPTIONS", "/"))["filesystems"][0]
    disk = "/dev/" + run("lsblk", "-no", "PKNAME", root["source"])
    keys = sorted(glob.glob("/etc/ssh/ssh_host_*_key.pub"))
    with open("/run/cloud-init/result.json") as file:
        cloud_init = json.load(file)["v1"]
    return {
        "root": root,
        "disk_bytes": int(run("lsblk", "-bdno", "SIZE", disk)),
        "blocks": json.loads(run("lsblk", "-J", "-b", "-o", "NAME,SIZE,FSTYPE,LABEL,UUID,PARTUUID,PTUUID", disk))["blockdevices"],
        "mounts": [line for line in run("findmnt", "-rno", "TARGET", "--real").splitlines()],
        "cmdline": open("/proc/cmdline").read().strip(),
        "efi": os.path.isdir("/sys/firmware/efi"),
        "machine_id": open("/etc/machine-id").read().strip(),
        "hostname": os.uname().nodename,
        "ssh_host_keys": [run("ssh-keygen", "-lf", key).split()[1] for key in keys],
        "cloud_init": cloud_init,
        "instance_id": open("/run/cloud-init/.instance-id").read().strip(),
        "agent": properties(AGENT, "NRestarts", "ActiveState", "SubState", "UnitFileState"),
        "not_enrolled": not_enrolled(),
        "agent_version": run("durantic", "version") if shutil.which("durantic") else None,
        "failed_units": run("systemctl", "list-units", "--failed", "--plain", "--no-legend").splitlines(),
        "uptime": time.monotonic(),
    }


def main():
    subprocess.run(["modprobe", "-q", "qemu_fw_cfg"])
    with open("/sys/firmware/qemu_fw_cfg/by_name/opt/durantic/nonce/raw") as file:
        nonce = file.read()
    if "--with-agent" in sys.argv:
        wait_for_agent(60)
    try:
        proof = {"test": "installed", "nonce": nonce, "done": True, "facts": facts()}
    except Exception as error:  # Said to the host at once, instead of at its deadline.
        proof = {"test": "installed", "nonce": nonce, "done": False, "facts": {"error": f"{type(error).__name__}: {error}"}}
    # The host looks for this on the disk once the machine is off.
    with open("/var/lib/durantic-proof-nonce", "w") as file:
        file.write(nonce)
    with open("/dev/virtio-ports/durantic.proof", "w") as port:
        port.write(json.dumps(proof) + "\n")


main()
